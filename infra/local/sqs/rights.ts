import { CORAL, type RefusalKind, type TargetService, writeRefusal } from '../http/rights.ts';
import { explain } from '../policy/denial.ts';

export const SEND = 'sqs:SendMessage';

/** What SQS calls them in its older protocol, which clients go by to this day. */
const QUERY_CODES: Readonly<Record<RefusalKind, string>> = {
  MissingAuthenticationToken: 'MissingAuthenticationToken',
  IncompleteSignature: 'IncompleteSignature',
  UnrecognizedClient: 'InvalidClientTokenId',
  InvalidSignature: 'SignatureDoesNotMatch',
  ExpiredToken: 'ExpiredToken',
  AccessDenied: 'AccessDenied',
};

/** What must be known of SQS to check the requests to it. */
export const sqs: TargetService = {
  name: 'sqs',
  target: 'AmazonSQS',
  unsigned: 'Request is missing Authentication Token',

  /** A batch needs no right of its own. */
  accesses(operation, { QueueUrl, QueueName }, { region, accountId }) {
    const name = QueueName ?? (typeof QueueUrl === 'string' ? QueueUrl.split('/').at(-1) : undefined);
    if (name === undefined) return [];
    return [
      {
        action: `sqs:${operation.replace(/Batch$/, '')}`,
        resource: `arn:aws:sqs:${region}:${accountId}:${name}`,
      },
    ];
  },

  // Captured: 403, this header, and the action in lower case (floci-io/floci, resource policy enforcement, R1).
  refuse(response, { denial, ...refusal }) {
    response.setHeader('x-amzn-query-error', `${QUERY_CODES[refusal.kind]};Sender`);
    const message = denial ? explain({ ...denial, action: denial.action.toLowerCase() }) : refusal.message;
    const members = { __type: `${CORAL}${refusal.kind}Exception` };
    const said = { ...refusal, message, ...(denial && { denial }) };
    writeRefusal(response, 403, said, members, 'application/x-amz-json-1.0');
  },
};
