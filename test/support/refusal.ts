import { ClientError, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action, COMMAND_BYTES_MAX } from '../../shared/protocol/frames.ts';
import { bytesOf } from '../../shared/protocol/json.ts';
import {
  parseAuthenticate,
  parseBare,
  parseHistory,
  parseJsonObject,
  parsePing,
  parsePublish,
  parseSend,
  parseSubscribe,
  parseSubscription,
} from '../../shared/protocol/parse.ts';

type Parser = (raw: Readonly<Record<string, unknown>>, text: string) => unknown;
/** What each route parses its frames with. */
const PARSERS: { readonly [A in Action]: Parser } = {
  subscribe: parseSubscribe,
  unsubscribe: parseSubscription(Action.unsubscribe),
  publish: parsePublish,
  send: parseSend,
  history: parseHistory,
  authenticate: parseAuthenticate,
  whoami: parseBare(Action.whoami),
  ping: parsePing,
};

/** Why the real server would refuse a frame for its shape, whatever its topics can do; undefined if it would not. */
export function refusalOf(text: string): ClientError | undefined {
  try {
    const bytes = bytesOf(text);
    if (bytes > COMMAND_BYTES_MAX) {
      throw new ClientError(
        ErrorCode.tooLarge,
        `expected a frame of at most ${COMMAND_BYTES_MAX} bytes, got ${bytes}`,
      );
    }
    const raw = parseJsonObject(text);
    const parse = Object.hasOwn(PARSERS, String(raw.action)) ? PARSERS[raw.action as Action] : undefined;
    if (!parse) throw new ClientError(ErrorCode.unknownAction, `expected a known action, got ${raw.action}`);
    parse(raw, text);
    return undefined;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}
