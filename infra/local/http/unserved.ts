import type { HttpEngine, HttpRequest, HttpResponse } from './engine.ts';

/** What runs here, to say so to those who ask for something else. */
export interface Served {
  /** As requests are signed for them: `sqs`. */
  readonly services: readonly string[];
  readonly stages: readonly string[];
}

/** How a service writes its errors. */
type Protocol = 'json' | 'query' | 'rest-json' | 'rest-xml';

const REST_XML = new Set(['cloudfront', 'route53', 's3', 's3express', 's3-outposts']);
const FORM = 'application/x-www-form-urlencoded';
/** With a version 4a signature there is no region. */
const SCOPE = /Credential=[^,\s]*?\/([a-z0-9-]+)\/aws4_request/;
const PRESIGNED_SCOPE = /[?&]X-Amz-Credential=[^&]*?%2F([a-z0-9-]+)%2Faws4_request/i;
const CONNECTIONS_PATH = /^\/(?:@|%40)connections(?:\/|$)/i;

/**
 * What answers a request to an AWS service that does not run here, or that comes in another protocol than the service's:
 * an error that its SDK can read, whatever its protocol, and that names the service. Nothing for a request that is to none.
 */
export function unserved(request: HttpRequest, served: Served): HttpEngine | undefined {
  const service = serviceOf(request);
  if (service === undefined) return undefined;
  const message = messageFor(request, service, served);
  return {
    bodyBytesMax: () => 0,
    handle: (_request, _body, response) => WRITERS[protocolOf(request, service)](response, message, request),
  };
}

/** The service that the request is for, `''` if that cannot be seen; undefined if it is not one to AWS. */
function serviceOf({ url = '', method, headers }: HttpRequest): string | undefined {
  const signedFor = SCOPE.exec(headers.authorization ?? '') ?? PRESIGNED_SCOPE.exec(url);
  if (signedFor) return signedFor[1];
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.split('.', 1)[0];
  if (CONNECTIONS_PATH.test(url)) return 'execute-api';
  return method === 'POST' && headers['content-type']?.startsWith(FORM) ? '' : undefined;
}

function protocolOf({ headers }: HttpRequest, service: string): Protocol {
  if (headers['x-amz-target'] !== undefined) return 'json';
  if (headers['content-type']?.startsWith(FORM)) return 'query';
  return REST_XML.has(service) ? 'rest-xml' : 'rest-json';
}

function messageFor({ url, headers }: HttpRequest, service: string, { services, stages }: Served): string {
  if (service === 'execute-api') {
    const paths = stages.map((stage) => `/${stage}/@connections/{connectionId}`).join(' or ');
    return `expected ${paths}, got ${url}: the endpoint of @connections ends with the stage`;
  }
  if (services.includes(service)) {
    const target = headers['x-amz-target'] ?? 'none';
    return `expected the X-Amz-Target of ${service}, which is served in its JSON protocol only, got ${target}`;
  }
  return `expected a service that Fanwire runs locally (${services.join(', ')}), got ${service || 'another'}`;
}

type Write = (response: HttpResponse, message: string, request: HttpRequest) => void;

/** The codes are those that AWS itself answers to operations that it does not know, in each of its protocols. */
const WRITERS: Readonly<Record<Protocol, Write>> = {
  json(response, message, { headers }) {
    const contentType = headers['content-type']?.startsWith('application/x-amz-json-1.0') ? '1.0' : '1.1';
    const __type = 'com.amazon.coral.service#UnknownOperationException';
    write(response, 400, `application/x-amz-json-${contentType}`, JSON.stringify({ __type, message }));
  },
  query(response, message) {
    const error = `<Type>Sender</Type><Code>InvalidAction</Code><Message>${escapeXml(message)}</Message>`;
    const text = `<ErrorResponse><Error>${error}</Error><RequestId>local</RequestId></ErrorResponse>`;
    write(response, 400, 'text/xml', text);
  },
  'rest-json'(response, message, { url = '' }) {
    const isForbidden = CONNECTIONS_PATH.test(url);
    response.setHeader('x-amzn-ErrorType', isForbidden ? 'ForbiddenException' : 'UnknownOperationException');
    write(response, isForbidden ? 403 : 404, 'application/json', JSON.stringify({ message }));
  },
  'rest-xml'(response, message) {
    const error = `<Error><Code>NotImplemented</Code><Message>${escapeXml(message)}</Message></Error>`;
    write(response, 501, 'application/xml', `<?xml version="1.0" encoding="UTF-8"?>\n${error}`);
  },
};

function write(response: HttpResponse, status: number, contentType: string, text: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

const escapeXml = (text: string): string => text.replace(/[&<>]/g, (character) => ESCAPES[character] ?? '');
