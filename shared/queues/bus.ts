import { setTimeout as delay } from 'node:timers/promises';
import {
  type EventBridgeClient,
  PutEventsCommand,
  type PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import { ClientError, ErrorCode } from '../protocol/errors.ts';
import { encodePublication, PUBLISH_DETAIL_TYPE, type Publication } from '../protocol/publication.ts';

const SOURCE = 'fanwire';
const TRIES_MAX = 4;
const BACKOFF_MS = 50;
/** The only codes that a later try can cure (EventBridge API reference, PutEventsResultEntry). */
const RETRYABLE = new Set(['InternalFailure', 'InternalException', 'ThrottlingException']);

export interface Bus {
  /** Resolves once all publications are on the bus. At most 10, as in one PutEvents. */
  publish(publications: readonly Publication[]): Promise<void>;
}

export function createBus(client: Pick<EventBridgeClient, 'send'>, eventBusName: string): Bus {
  return {
    async publish(publications) {
      let rest = publications.map((publication) => ({
        EventBusName: eventBusName,
        Source: SOURCE,
        DetailType: PUBLISH_DETAIL_TYPE,
        Detail: encodePublication(publication),
      }));
      for (let tries = 1; ; tries++) {
        const { Entries = [], FailedEntryCount } = await client.send(new PutEventsCommand({ Entries: rest }));
        if (!FailedEntryCount) return;
        const refused = Entries.filter(({ ErrorCode: code }) => code !== undefined);
        if (tries === TRIES_MAX || !refused.every(isRetryable)) throw refusal(refused);
        rest = rest.filter((_, index) => Entries[index]?.ErrorCode !== undefined);
        await delay(BACKOFF_MS * 2 ** tries);
      }
    },
  };
}

const isRetryable = ({ ErrorCode: code }: PutEventsResultEntry): boolean => RETRYABLE.has(code ?? '');

/** EventBridge refuses what it cannot carry (JSON nested too deep, for instance): that is for the publisher to mend. */
function refusal(refused: readonly PutEventsResultEntry[]): Error {
  const malformed = refused.find(({ ErrorCode: code }) => code === 'MalformedDetail');
  if (malformed) {
    return new ClientError(
      ErrorCode.badRequest,
      `expected data that EventBridge takes, got ${malformed.ErrorMessage}`,
    );
  }
  const [{ ErrorCode: code, ErrorMessage: message } = {}] = refused;
  if (refused.every(isRetryable)) {
    return new ClientError(
      ErrorCode.unavailable,
      `expected the bus to take every message, got ${code} for ${refused.length}; publish again`,
    );
  }
  return new Error(`expected the bus to take every event, got ${code}: ${message}`);
}
