import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import type { Denial } from '../policy/denial.ts';
import type { AccessRequest } from '../policy/policy.ts';
import type { HeadersOf, HttpRequest, HttpResponse } from './engine.ts';

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

/** What must be known of a service to check the requests to it. */
export interface GuardedService {
  /** What its requests are signed for, and its rights are called after: `sqs`. */
  readonly name: string;
  /** What it says to a request without a signature. */
  readonly unsigned: string;
  /** Condition keys of its own, beside those that AWS has for every request: `events:source`. */
  readonly conditionKeys?: readonly string[];
  /** Answers a request that goes no further, in the form of the service. */
  refuse(response: HttpResponse, refusal: Refusal): void;
}

type Input = Readonly<Record<string, unknown>>;

/** A service whose requests name their operation in `X-Amz-Target`. */
export interface TargetService extends GuardedService {
  /** What that header says before its dot: `AmazonSQS`. */
  readonly target: string;
  /**
   * What a request needs to be allowed, after the page of the service in "Actions, resources, and condition keys" of the
   * service authorization reference. Nothing: its operation, on whatever it may be.
   */
  accesses(operation: string, input: Input, account: Account): AccessRequest[];
}

/** Lets a request in, or answers it and says false; `accesses` is asked once it is known who asks. */
export type Admit = (
  request: HttpRequest,
  body: Buffer,
  response: HttpResponse,
  accesses: () => readonly AccessRequest[],
) => boolean;

/** What a request needs to be allowed: something always. */
export function accessesOf(
  service: TargetService,
  operation: string,
  input: Input,
  account: Account,
): AccessRequest[] {
  const accesses = service.accesses(operation, input, account);
  return accesses.length > 0 ? accesses : [{ action: `${service.name}:${operation}`, resource: '*' }];
}

/** The same access is asked for once. */
export const distinct = (accesses: readonly AccessRequest[]): AccessRequest[] => [
  ...new Map(accesses.map((access) => [JSON.stringify(access), access])).values(),
];

/** The objects in what may be a list. */
export const recordsIn = (value: unknown): Input[] => (Array.isArray(value) ? value.filter(isRecord) : []);

/** Before the names of errors that AWS's own framework gives. */
export const CORAL = 'com.amazon.coral.service#';

/**
 * Answers with a refusal's message as JSON, after `members`. Captured of all services here: errors of the front end have
 * `message`, those of IAM `Message`.
 */
export function writeRefusal(
  response: HttpResponse,
  status: number,
  { message, denial }: Refusal,
  members: object = {},
  contentType = 'application/json',
  headersOf: HeadersOf = () => ({}),
): void {
  const text = JSON.stringify({ ...members, [denial ? 'Message' : 'message']: message });
  const length = Buffer.byteLength(text);
  response.writeHead(status, { 'content-type': contentType, 'content-length': length, ...headersOf(text) });
  response.end(text);
}

/** As services of JSON 1.1 refuse: the name of the error, without where it comes from. */
export const refuseInJson11: TargetService['refuse'] = (response, refusal) =>
  writeRefusal(response, 400, refusal, { __type: `${refusal.kind}Exception` }, 'application/x-amz-json-1.1');
