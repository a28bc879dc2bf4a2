import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connections } from '../../shared/data/connections.ts';
import type { Heads } from '../../shared/data/heads.ts';
import type { Logs } from '../../shared/data/log.ts';
import type { Revocations } from '../../shared/data/revocations.ts';
import type { Shards } from '../../shared/data/shards.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import { createTickets, type Tickets } from '../../shared/data/tickets.ts';
import type { RunDeps } from '../../shared/delivery/run.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import {
  type LambdaVariable,
  SETTINGS_FILES,
  VARIABLES,
  type Variable,
} from '../../shared/lambda/variables.ts';
import type { CommandLimits } from '../../shared/limits/limits.ts';
import { parsePattern, parseTopic } from '../../shared/protocol/topic.ts';
import type { Bus } from '../../shared/queues/bus.ts';
import type { Closings } from '../../shared/queues/closings.ts';
import type { DeadLetters } from '../../shared/queues/queues.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';

const root = join(import.meta.dirname, '../..');
const services = globSync('services/*/lambda.ts', { cwd: root }).map((file) => file.split('/')[1] as string);

/** What an entry may take from `shared/`: config, clients and stack; stores and queues are for `assemble`. */
const ENTRY =
  /^\.\.\/\.\.\/shared\/(lambda|protocol|aws)\/|^\.\.\/\.\.\/shared\/(delivery\/create-post|auth\/(clients|grant-clients))\.ts$/;

/** No two have the same value, so that it shows if one is taken for another. */
const VALUES: Readonly<Partial<Record<Variable | LambdaVariable, string>>> = {
  CONNECTIONS_TABLE: 'connections',
  SUBSCRIPTIONS_TABLE: 'subscriptions',
  TOPICS_TABLE: 'topics',
  MESSAGES_TABLE: 'messages',
  ACCESS_TABLE: 'access',
  EVENT_BUS_NAME: 'the bus',
  DELIVERY_QUEUE_URL: 'the delivery queue',
  SLOW_QUEUE_URL: 'the slow queue',
  CLOSING_QUEUE_URL: 'the closing queue',
  DELIVERY_DEAD_LETTERS_URL: 'dead deliveries',
  INGEST_DEAD_LETTERS_URL: 'bad events',
  CLOSING_DEAD_LETTERS_URL: 'bad revocations',
  CALLBACK_URL: 'https://api',
  SUBSCRIPTIONS_MAX: '43',
  ROLLOVER_AFTER_SECONDS: '47',
  INLINE_MAX: '53',
  SHARD_SUBSCRIBERS_MAX: '59',
  DELIVERY_ATTEMPTS_MAX: '61',
  POST_TIMEOUT_MS: '67',
  REQUESTS_PER_SECOND_MAX: '10000',
  ENVIRONMENTS_MAX: '4',
  AUTHORIZATION: 'none',
  ISSUERS: '[]',
  LIMITS: '{"rates":{"commands":{"perSecond":71,"burst":73}},"publishBytesMax":79}',
  LAMBDA_TASK_ROOT: mkdtempSync(join(tmpdir(), 'fanwire-test-')),
};
/** Set by Lambda itself. */
const OF_LAMBDA: readonly LambdaVariable[] = ['LAMBDA_TASK_ROOT'];
const code = VALUES.LAMBDA_TASK_ROOT as string; // set just above
beforeAll(() => {
  writeFileSync(join(code, SETTINGS_FILES.NAMESPACES), '{"*":{"dataBytesMax":41}}');
  writeFileSync(join(code, SETTINGS_FILES.AUTH), '{"queryToken":true}');
});
afterAll(() => rmSync(code, { recursive: true }));

/** Those that only entries read, for their clients. */
const OF_ENTRIES: readonly Variable[] = ['TRANSPORT', 'GRANTS_SECRET'];

/** What services are assembled of, taken together; each has some of it. */
interface Deps extends Omit<RunDeps, 'random'> {
  readonly connections: Connections;
  readonly subscriptions: Subscriptions;
  readonly shards: Shards;
  readonly heads: Heads;
  readonly logs: Logs;
  readonly revocations: Revocations;
  readonly closings: Closings;
  readonly bus: Bus;
  readonly limits: CommandLimits<unknown>;
  readonly badEvents: DeadLetters;
  readonly tickets: Tickets;
  readonly takeTicket: (ticket: string) => Promise<string | undefined>;
  readonly namespaces: object;
  readonly auth: object;
  readonly subscriptionsMax: number;
  readonly rolloverAfterMs: number;
  readonly inlineMax: number;
  readonly shardSubscribersMax: number;
  readonly endpoint: string;
}

const topic = parseTopic('chat/a');
const shard = { pattern: parsePattern('chat/a'), shard: 0 };
const job = { group: 'g', topic, messages: [{ json: '{}' }], connectionIds: ['c'], shards: [], attempt: 1 };
const publication = { targets: [{ topic }], payloads: [], publishedAt: '', publisher: {} };

/** Uses a part, and what is to come of it: the tables, queues or buses that it names, or its own value. */
const PARTS: { readonly [P in keyof Deps]?: (part: Deps[P]) => unknown } = {
  connections: (connections) => connections.close('c'),
  subscriptions: (subscriptions) => subscriptions.put({ ...shard, connectionId: 'c' }, 1),
  shards: (shards) => shards.covering(topic),
  heads: (heads) => heads.head(topic),
  logs: async (logs) => {
    await logs.head(topic);
    await logs.entry({ topic, epoch: 'e' }, 1);
  },
  revocations: (revocations) => revocations.isRevoked({ userId: 'ada' }),
  closings: (closings) => closings.closeAt('c', 0),
  bus: (bus) => bus.publish([publication as never]), // all that its encoding reads
  limits: (limits) => limits.take({ connectionId: 'c' }, { commands: 1 }),
  badEvents: (badEvents) => badEvents.bury('', ''),
  tickets: (tickets) => tickets.put('t', '{}', 1),
  takeTicket: (take) => take('t'),
  deadLetters: (deadLetters) => deadLetters.bury('', ''),
  deliveryQueue: (queue) => queue.enqueue([job], 0),
  slowQueue: (queue) => queue.enqueue([job], 0),
  forget: (forget) => forget('c', [shard]),
};
const USED: Readonly<Record<string, readonly string[]>> = {
  connections: ['connections'],
  subscriptions: ['subscriptions'],
  shards: ['topics'],
  heads: ['topics'],
  logs: ['topics', 'messages'],
  revocations: ['access'],
  closings: ['the closing queue'],
  bus: ['the bus'],
  limits: ['access'],
  badEvents: ['bad events'],
  tickets: ['access'],
  takeTicket: ['access'],
  deadLetters: ['dead deliveries'],
  deliveryQueue: ['the delivery queue'],
  slowQueue: ['the slow queue'],
  forget: ['connections', 'subscriptions'],
};
const PLAIN = {
  namespaces: { '*': { dataBytesMax: 41 } },
  auth: { queryToken: true },
  subscriptionsMax: 43,
  rolloverAfterMs: 47_000,
  logTable: 'messages',
  inlineMax: 53,
  shardSubscribersMax: 59,
  attemptsMax: 61,
  patience: { postTimeoutMs: 67 },
  endpoint: 'https://api',
};

async function assembled(service: string, values: Partial<Record<Variable, string>> = {}) {
  const { settings, assemble } = await import(join(root, `services/${service}/assemble.ts`));
  const named: string[] = [];
  const dynamodb = new MemoryDynamoDB().client(async ({ table }, perform) => {
    named.push(table);
    return perform();
  });
  const send = async ({ input }: { input: { QueueUrl?: string; Entries?: { EventBusName?: string }[] } }) => {
    named.push(String(input.QueueUrl ?? input.Entries?.[0]?.EventBusName));
    return {};
  };
  const post = async () => void named.push('post');
  const late = async () => ({ dynamodb, sqs: { send } });
  const tickets = async (table: string) => createTickets(dynamodb, table, () => 0);
  const randomBytes = (size: number) => Buffer.alloc(size);
  const clients = {
    dynamodb,
    sqs: { send },
    eventBridge: { send },
    management: { send },
    post,
    late,
    tickets,
    randomBytes,
  };
  const config = loadConfig({ ...VALUES, ...values }, settings);
  const clock = { ...systemClock, now: () => 0 };
  const deps: Partial<Deps> = assemble(config, clients, clock);
  return { deps, named, settings: settings as Record<string, { readonly name: Variable }> };
}

describe.each(services)('%s', (service) => {
  it('has an entry that makes config, clients and stack, and nothing else', () => {
    const source = readFileSync(join(root, `services/${service}/lambda.ts`), 'utf8');
    const imports = [...source.matchAll(/\b(?:from |import\()'([^']+)'/g)].map(([, name = '']) => name);
    expect(imports).toContain('./assemble.ts');
    expect(imports.filter((name) => name.startsWith('../') && !ENTRY.test(name))).toEqual([]);
  });

  it('has posts that carry the trace of their invocation, if it makes any', () => {
    const source = readFileSync(join(root, `services/${service}/lambda.ts`), 'utf8');
    const [, rest] = source.split('await createPost(');
    expect(rest ?? 'process.env._X_AMZN_TRACE_ID').toContain('process.env._X_AMZN_TRACE_ID');
  });

  it('counts every frame, if it is a route', () => {
    const source = readFileSync(join(root, `services/${service}/lambda.ts`), 'utf8');
    const [, rest] = source.split(/\broute(?:<\w+>)?\(/);
    expect(rest ?? 'deps.limits)').toMatch(/deps\.limits\)|deps\.limits,\n\)/);
  });

  it('is assembled from values, and calls nothing by being so', async () => {
    const { deps, named } = await assembled(service);
    expect(Object.values(deps)).not.toContain(undefined);
    expect(named).toEqual([]);
  });

  it('has the value of each variable where it belongs', async () => {
    const { deps, named } = await assembled(service);
    const used: Record<string, readonly string[]> = {};
    for (const [name, use] of Object.entries(PARTS)) {
      if (!(name in deps)) continue;
      await (use as (part: unknown) => unknown)(deps[name as keyof Deps]); // it is of that name
      used[name] = [...new Set(named.splice(0))];
    }
    const expected: typeof USED = { ...USED, ...(service === 'close' && { badEvents: ['bad revocations'] }) };
    expect(used).toEqual(Object.fromEntries(Object.keys(used).map((name) => [name, expected[name]])));
    const plain = Object.entries(PLAIN).filter(([name]) => name in deps);
    expect(deps).toMatchObject(Object.fromEntries(plain));
  });
});

it('leaves no variable out', async () => {
  const read = await Promise.all(services.map(async (service) => (await assembled(service)).settings));
  const names = read.flatMap((settings) => Object.values(settings).map(({ name }) => name));
  const all = new Set([...VARIABLES, ...OF_LAMBDA]);
  expect(new Set([...names, ...OF_ENTRIES])).toEqual(all);
  expect(new Set([...Object.keys(VALUES), ...OF_ENTRIES])).toEqual(all);
});

/** How many posts have a turn without anybody being asked: the fewer, the more environments share a budget. */
async function freeTurns(service: string, requestsPerSecondMax: number, environmentsMax: number) {
  const { deps } = await assembled(service, {
    REQUESTS_PER_SECOND_MAX: String(requestsPerSecondMax),
    ENVIRONMENTS_MAX: String(environmentsMax),
  });
  let turns = 0;
  while (deps.pace?.takeTurn('quick', 1) === true) turns += 1;
  return turns;
}

it.each(['fanout', 'deliver'])('paces posts of %s by the budget and those who share it', async (service) => {
  const turns = await freeTurns(service, 10_000, 4);
  expect(turns).toBeGreaterThan(await freeTurns(service, 10_000, 8));
  expect(turns).toBeGreaterThan(await freeTurns(service, 5_000, 4));
});
