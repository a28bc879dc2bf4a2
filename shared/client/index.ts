import { Client } from './client.ts';
import { type ClientOptions, settingsFrom } from './options.ts';

/**
 * Connects to Fanwire, and keeps connected until `close`.
 *
 * @example
 * const client = connect({ url: 'wss://abc123.execute-api.eu-central-1.amazonaws.com/prod' });
 * client.subscribe('chat/lobby', { rewind: 10, onMessage: ({ data }) => show(data) });
 * await client.publish('chat/lobby', { text: 'hi' });
 */
export const connect = (options: ClientOptions): Client => new Client(settingsFrom(options));

export type { Position, Publisher, Recipient, Rewind } from '../protocol/frames.ts';
export type { Client, Events, HistoryOptions, HistoryPage, Identity, SubscribeOptions } from './client.ts';
export type { State, StateChange } from './connector.ts';
export { FanwireError, type FanwireErrorCode, type FanwireErrorOptions } from './errors.ts';
export type { SubscriptionState } from './feed.ts';
export type { Grant } from './grant.ts';
export type { Recovery } from './inbox.ts';
export type { Message } from './message.ts';
export type { ClientOptions, Environment, Limits, NetworkEvents, WebSocketLike } from './options.ts';
export type { Published, PublishOptions, Stored } from './outbox.ts';
export type { Refreshed } from './renewal.ts';
export type { Subscription } from './subscription.ts';
