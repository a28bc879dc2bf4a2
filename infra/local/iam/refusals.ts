import type { HttpResponse } from '../http/engine.ts';
import { type Denial, explain } from './access.ts';
import type { TargetService } from './requests.ts';

/** Why a request goes no further; the names are those of AWS's common errors. */
export type RefusalKind =
  | 'MissingAuthenticationToken'
  | 'IncompleteSignature'
  | 'UnrecognizedClient'
  | 'InvalidSignature'
  | 'ExpiredToken'
  | 'AccessDenied';

export interface Refusal {
  readonly kind: RefusalKind;
  readonly message: string;
  readonly denial?: Denial;
}

type Write = (response: HttpResponse, refusal: Refusal) => void;

/** What SQS calls them in its older protocol, which clients go by to this day. */
const QUERY_CODES: Readonly<Record<RefusalKind, string>> = {
  MissingAuthenticationToken: 'MissingAuthenticationToken',
  IncompleteSignature: 'IncompleteSignature',
  UnrecognizedClient: 'InvalidClientTokenId',
  InvalidSignature: 'SignatureDoesNotMatch',
  ExpiredToken: 'ExpiredToken',
  AccessDenied: 'AccessDenied',
};

const JSON_1_0 = 'application/x-amz-json-1.0';
const JSON_1_1 = 'application/x-amz-json-1.1';
const CORAL = 'com.amazon.coral.service#';

/** How each service says that it refuses a request. */
export const WRITERS: Readonly<Record<TargetService | 'execute-api', Write>> = {
  dynamodb: (response, { kind, message, denial }) =>
    json(response, 400, { __type: `${CORAL}${kind}Exception`, [keyOf(denial)]: message }, JSON_1_0),

  events: (response, { kind, message, denial }) =>
    json(response, 400, { __type: `${kind}Exception`, [keyOf(denial)]: message }, JSON_1_1),

  // Captured: 403, this header, and the action in lower case (floci-io/floci, resource policy enforcement, R1).
  sqs: (response, { kind, message, denial }) => {
    response.setHeader('x-amzn-query-error', `${QUERY_CODES[kind]};Sender`);
    const text = denial ? explain({ ...denial, action: denial.action.toLowerCase() }) : message;
    json(response, 403, { __type: `${CORAL}${kind}Exception`, [keyOf(denial)]: text }, JSON_1_0);
  },

  'execute-api': (response, { kind, message, denial }) => {
    response.setHeader('x-amzn-ErrorType', `${kind}Exception`);
    json(response, 403, { [keyOf(denial)]: denial ? explainMasked(denial) : message });
  },
};

/** Captured of all these services: errors of the front end have `message`, those of IAM `Message`. */
const keyOf = (denial: Denial | undefined): string => (denial ? 'Message' : 'message');

/**
 * Captured: the account masked but for four digits, a placeholder for the id, and a reason only for a Deny
 * (aws-cdk#18410, and floci-io/floci as above, R5).
 */
function explainMasked({ resource, reason, ...denial }: Denial): string {
  const masked = resource
    .replace(/:\d{8}(\d{4}):/, ':********$1:')
    .replace(/@connections\/.*$/, '@connections/{connectionId}');
  const text = explain({ ...denial, resource: masked, reason });
  return reason.startsWith('explicit deny') ? text : text.replace(/ because .*$/, '');
}

function json(response: HttpResponse, status: number, body: object, type = 'application/json'): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
