import {
  type EventBridgeClient,
  PutEventsCommand,
  type PutEventsRequestEntry,
  type PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import { ClientError, ErrorCode } from '../protocol/errors.ts';
import { encodePublication, PUBLISH_DETAIL_TYPE, type Publication } from '../protocol/publication.ts';
import { isThrottle, type RetryClock, type RetryLimits, untilTaken } from '../retry.ts';

const SOURCE = 'fanwire';
/**
 * A bus that throttles for a second or two costs its publishers no more than that. A last call may take the SDK's own
 * retries another 3 s, and a route has 10 s.
 */
const RETRY_LIMITS: RetryLimits = { firstWaitMs: 50, waitMaxMs: 1_000, totalMs: 5_000 };
/** The only codes that a later try can cure (EventBridge API reference, PutEventsResultEntry). */
const RETRYABLE = new Set(['InternalFailure', 'InternalException', 'ThrottlingException']);

export interface Bus {
  /** Resolves once all publications are on the bus. At most 10, as in one PutEvents. */
  publish(publications: readonly Publication[]): Promise<void>;
}

export function createBus(
  client: Pick<EventBridgeClient, 'send'>,
  eventBusName: string,
  clock: RetryClock,
): Bus {
  return {
    async publish(publications) {
      const entries = publications.map((publication) => ({
        EventBusName: eventBusName,
        Source: SOURCE,
        DetailType: PUBLISH_DETAIL_TYPE,
        Detail: encodePublication(publication),
      }));
      let code: string | undefined;
      const send = async (rest: readonly PutEventsRequestEntry[]) => {
        const results = await put(client, rest);
        const refused = results.filter(({ ErrorCode }) => ErrorCode !== undefined);
        if (!refused.every(isRetryable)) throw refusal(refused);
        code = refused[0]?.ErrorCode;
        return rest.filter((_, index) => results[index]?.ErrorCode !== undefined);
      };
      const left = await untilTaken(entries, send, RETRY_LIMITS, clock);
      if (left.length > 0) throw unavailable(left.length, code);
    },
  };
}

/** The result of each entry. */
async function put(
  client: Pick<EventBridgeClient, 'send'>,
  entries: readonly PutEventsRequestEntry[],
): Promise<readonly PutEventsResultEntry[]> {
  try {
    const { Entries, FailedEntryCount } = await client.send(new PutEventsCommand({ Entries: [...entries] }));
    return FailedEntryCount && Entries ? Entries : [];
  } catch (error) {
    // Beyond its rate EventBridge refuses the whole call, and by then the SDK has tried three times.
    if (isThrottle(error)) return entries.map(() => ({ ErrorCode: 'ThrottlingException' }));
    throw error;
  }
}

const isRetryable = ({ ErrorCode: code }: PutEventsResultEntry): boolean => RETRYABLE.has(code ?? '');

const unavailable = (count: number, code: string | undefined): Error =>
  new ClientError(
    ErrorCode.unavailable,
    `expected the bus to take every message, got ${code} for ${count}; publish again`,
  );

/** EventBridge refuses what it cannot carry (JSON nested too deep, for instance): that is for the publisher to mend. */
function refusal(refused: readonly PutEventsResultEntry[]): Error {
  const malformed = refused.find(({ ErrorCode: code }) => code === 'MalformedDetail');
  if (malformed) {
    return new ClientError(
      ErrorCode.badRequest,
      `expected data that EventBridge takes, got ${malformed.ErrorMessage}`,
    );
  }
  const { ErrorCode: code, ErrorMessage: message } = refused.find((each) => !isRetryable(each)) ?? {};
  return new Error(`expected the bus to take every event, got ${code}: ${message}`);
}
