import type { Account } from '../account.ts';
import type { Clock } from '../clock.ts';
import {
  bodyBytesMaxOf,
  type HttpEngine,
  type HttpRequest,
  operationOf,
  parseInput,
  RequestError,
} from '../http/engine.ts';
import {
  type Admit,
  accessesOf,
  type GuardedService,
  type Refusal,
  type RefusalKind,
  type TargetService,
} from '../http/rights.ts';
import { explain } from '../policy/denial.ts';
import type { AccessRequest } from '../policy/policy.ts';
import type { Access } from './access.ts';
import type { Principal, Principals } from './principals.ts';
import { parseAuthorization, verify } from './sigv4.ts';

interface GuardOptions extends Account {
  readonly principals: Principals;
  readonly access: Access;
  readonly clock: Pick<Clock, 'now'>;
}

const refusal = (kind: RefusalKind, message: string): Refusal => ({ kind, message });

const UNKNOWN_KEY = refusal('UnrecognizedClient', 'The security token included in the request is invalid.');
const EXPIRED = refusal('ExpiredToken', 'The security token included in the request is expired');

/** More than any service takes in one request: a transaction of DynamoDB has 100 parts. */
const ACCESSES_MAX = 1_000;

/** Lets in only what is signed by somebody who may do it. Everything else it answers as the service would. */
export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** The engine of a service, behind this guard. */
  before(service: TargetService, engine: HttpEngine): HttpEngine {
    const admit = this.of(service);
    return {
      // What is not signed goes no further, whatever is in it.
      bodyBytesMax: (request) =>
        request.headers.authorization === undefined ? 0 : bodyBytesMaxOf(engine, request),
      handle: (request, body, response) => {
        const accesses = () => this.#accessesOf(service, request, body);
        if (admit(request, body, response, accesses)) return engine.handle(request, body, response);
      },
    };
  }

  /** For an engine that knows itself what its requests need. */
  of(service: GuardedService): Admit {
    return (request, body, response, accesses) => {
      const principal = this.#authenticate(service, request, body);
      const refused = 'kind' in principal ? principal : this.#authorise(principal, accesses());
      if (!refused) return true;
      // By it a client whose clock is wrong can tell, and the SDK then sets its own right.
      response.setHeader('date', new Date(this.#options.clock.now()).toUTCString());
      service.refuse(response, refused);
      return false;
    };
  }

  #authenticate({ name, unsigned }: GuardedService, request: HttpRequest, body: Buffer): Principal | Refusal {
    const { principals, region, clock } = this.#options;
    const { authorization: header, 'x-amz-security-token': token } = request.headers;
    if (header === undefined) return refusal('MissingAuthenticationToken', unsigned);
    const authorization = parseAuthorization(header);
    if ('kind' in authorization) return refusal('IncompleteSignature', authorization.message);
    const key = principals.find(authorization.accessKeyId);
    if (!key || key.sessionToken !== token) return UNKNOWN_KEY;
    const nowMs = clock.now();
    if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return EXPIRED;
    const { secretAccessKey, principal } = key;
    const fault = verify(request, body, authorization, { secretAccessKey, region, service: name, nowMs });
    if (!fault) return principal;
    return refusal(fault.kind === 'invalid' ? 'InvalidSignature' : 'IncompleteSignature', fault.message);
  }

  /** All of a batch, or nothing. */
  #authorise(principal: Principal, accesses: readonly AccessRequest[]): Refusal | undefined {
    const { length } = accesses;
    if (length > ACCESSES_MAX) {
      return refusal(
        'AccessDenied',
        `expected at most ${ACCESSES_MAX} resources in one request, got ${length}`,
      );
    }
    for (const access of accesses) {
      const denial = this.#options.access.check(principal, access);
      if (denial) return { kind: 'AccessDenied', message: explain(denial), denial };
    }
    return undefined;
  }

  #accessesOf(service: TargetService, request: HttpRequest, body: Buffer): AccessRequest[] {
    try {
      return accessesOf(service, operationOf(request), parseInput(body), this.#options);
    } catch (error) {
      if (error instanceof RequestError) return []; // nothing can come of it: the service will say why
      throw error;
    }
  }
}
