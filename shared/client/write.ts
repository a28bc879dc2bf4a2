import type { Acks, CommandFields } from '../protocol/acks.ts';
import { badArgument, trying } from './arguments.ts';

/** Optional fields may be undefined, which is not written: an option that was not given is handed on as it is. */
export type OrUndefined<T> = {
  readonly [K in keyof T]: T[K] | (T extends Record<K, unknown> ? never : undefined);
};

/** Every action that the client sends. */
export type SentAction = keyof CommandFields;
/** What such a command may hold. */
export type Fields<A extends SentAction> = OrUndefined<CommandFields[A]>;
/** What the ack of such a command holds. */
export type Ack<A extends SentAction> = Acks[A];

/** A command without its id, which it gets on the connection that it is sent on. */
export interface WrittenCommand<A extends SentAction> {
  readonly action: A;
  readonly json: string;
  /** Whether an ack of that action is about the same topic, or about as many messages. */
  readonly fits: (ack: Ack<A>) => boolean;
}

/** Writes a command out, with the fields that the protocol has for its action. */
export const writeCommand = <A extends SentAction>(action: A, fields: Fields<A>): WrittenCommand<A> => ({
  action,
  json: toJson({ action, ...fields }),
  fits: (ack) => topicOf(ack) === topicOf(fields),
});

const topicOf = (it: object): unknown => ('topic' in it ? it.topic : undefined);

/** The wire has no word for a message that may be late for ever. */
export const wireAge = (maxAge: number): number | undefined => (maxAge === Infinity ? undefined : maxAge);

/** As JSON, or an error if the application's data cannot be written so. */
export function toJson(command: object): string {
  return trying(JSON_DATA, () => {
    if (!('data' in command)) return JSON.stringify(command);
    const { data, ...rest } = command;
    return `${JSON.stringify(rest).slice(0, -1)},"data":${dataJson(data)}}`;
  });
}

const JSON_DATA = 'data that can be written as JSON';

/** JSON leaves out what it cannot write, or writes null: undefined, functions, NaN, a date that is none. */
function dataJson(data: unknown): string {
  const json = JSON.stringify(data) as string | undefined; // contrary to its type
  if (json !== undefined && (json !== 'null' || data === null)) return json;
  throw badArgument(JSON_DATA, data);
}
