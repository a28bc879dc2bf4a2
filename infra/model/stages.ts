import { Action } from '../../shared/protocol/frames.ts';

/** The parts into which a bill is broken down. */
export const STAGES = ['connections', 'commands', 'publish', 'fan out', 'deliver', 'idle', 'other'] as const;
export type Stage = (typeof STAGES)[number];

/** The stages that a published message goes through: they are what its delivery costs. */
export const DELIVERY_STAGES: readonly Stage[] = ['publish', 'fan out', 'deliver'];

/** By function; the actions of clients are commands, but for those that publish. */
const FUNCTIONS: Readonly<Record<string, Stage>> = {
  ...Object.fromEntries(Object.values(Action).map((action) => [action, 'commands'] as const)),
  authorize: 'connections',
  tickets: 'connections',
  authenticate: 'connections',
  connect: 'connections',
  disconnect: 'connections',
  publish: 'publish',
  send: 'publish',
  fanout: 'fan out',
  deliver: 'deliver',
  close: 'connections',
  sweep: 'idle',
  defaultRoute: 'commands',
};

/** By table and operation; the name of a table alone stands for its other operations. */
const TABLES: Readonly<Record<string, Stage>> = {
  'connections Scan': 'idle',
  'connections Query': 'fan out',
  'connections UpdateItem': 'commands',
  'connections GetItem': 'commands',
  connections: 'connections',
  'subscriptions Query': 'fan out',
  'subscriptions PutItem': 'commands',
  subscriptions: 'connections',
  'topics GetItem': 'commands',
  // The budget of posts that the workers share is leased there, and offsets are taken; a subscriber writes once an hour.
  'topics UpdateItem': 'deliver',
  topics: 'fan out',
  'messages Query': 'commands',
  messages: 'fan out',
  // What clients may use up.
  'access GetItem': 'commands',
  'access UpdateItem': 'commands',
  access: 'connections',
};

const QUEUES: Readonly<Record<string, Stage>> = {
  ingest: 'publish',
  ingestDeadLetters: 'publish',
  delivery: 'deliver',
  slow: 'deliver',
  deliveryDeadLetters: 'deliver',
  closing: 'connections',
  closingDeadLetters: 'connections',
};

export const stageOfFunction = (name: string): Stage => FUNCTIONS[name] ?? 'other';
export const stageOfTable = (name: string, operation: string): Stage =>
  TABLES[`${name} ${operation}`] ?? TABLES[name] ?? 'other';
export const stageOfQueue = (name: string): Stage => QUEUES[name] ?? 'other';
