import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { GetQueueAttributesCommand, PurgeQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { type GrantOptions, grant } from '../../shared/auth/grants.ts';
import { parsePattern, parseTopic } from '../../shared/protocol/topic.ts';
import type { DeliveryJob } from '../../shared/queues/job.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { EagerClock } from '../support/eager-clock.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { type Granting, grantingFor } from '../support/granting.ts';
import { bootLocal, variablesOf } from '../support/local.ts';
import { rightOf, rightsIn } from '../support/rights.ts';
import { until } from '../support/until.ts';

/** Least privilege: every right that the template grants is used by something, and without it that something fails. */

/** Of the deliver worker; the fan-out has one attempt. So both bury what they cannot deliver, and soon. */
const ATTEMPTS_MAX = 2;
/** More than the fan-out serves itself. */
const CROWD = 6;

const clock = new EagerClock();
const granted = new Set<string>();
const used = new Set<string>();
/** The rights that are not there for the moment. */
let missing: readonly string[] = [];
/** Those that were missed since the test began, each time. */
let missed: string[] = [];
/** What functions and engines have said since the test began. */
let lines: string[] = [];

let local: Runtime;
let backEnd: BackEnd;
let faults: Faults;
let granting: Granting;

beforeAll(async () => {
  local = await bootLocal({
    app: 'test/apps/impatient-members.ts',
    schedules: true,
    faults: NO_FAULTS,
    clock,
    edit: (resources) => {
      for (const right of rightsIn(resources)) granted.add(right);
      variablesOf(resources, 'Fanout').DELIVERY_ATTEMPTS_MAX = '1';
      variablesOf(resources, 'Deliver').DELIVERY_ATTEMPTS_MAX = String(ATTEMPTS_MAX);
    },
    deny: (...access) => {
      if (missing.length === 0) return false;
      const right = rightOf(...access);
      if (!missing.includes(right)) return false;
      missed.push(right);
      return true;
    },
    onUse: (principal, action, resource) => {
      if (principal.includes(':assumed-role/')) used.add(rightOf(principal, action, resource));
    },
    log: (source, line) => lines.push(`${source} ${line}`),
  });
  backEnd = new BackEnd(local.ready);
  faults = new Faults(local.ready);
  granting = await grantingFor(local.ready);
  used.clear(); // that a mapping may start is no use of its queue
});
afterAll(() => local.stop());

beforeEach(() => {
  missing = [];
  missed = [];
  lines = [];
});

const open = (): Promise<Client> => Client.open(local.ready.websocketUrl);
const openAs: Granting['openAs'] = (...whom) => granting.openAs(...whom);

let topics = 0;
const newTopic = (): string => `topic/${++topics}`;
/** One that keeps history, and its last value. */
const newLog = (): string => `state/${++topics}`;

async function subscriberOf(topic: string): Promise<{ client: Client; connectionId: string }> {
  const client = await open();
  await client.subscribe(topic);
  const { connectionId } = await client.ask({ action: 'whoami' });
  return { client, connectionId };
}

type Item = NonNullable<PutItemCommand['input']['Item']>;
const put = (table: string, Item: Item) =>
  backEnd.dynamodb.send(new PutItemCommand({ TableName: local.ready.tables[table], Item }));

const idOfNobody = (): string => `${randomBytes(11).toString('base64url')}=`;

/** A subscription of a connection that never was. Its own item lists it, or it is an orphan. */
async function ghostOf(topic: string, kind?: 'orphan', more: Item = {}): Promise<string> {
  const id = idOfNobody();
  const expiresAt = { N: String(Math.ceil(Date.now() / 1000) + 3600) };
  await put('topics', { topic: { S: topic }, shards: { N: '1' }, expiresAt });
  await put('subscriptions', { topicShard: { S: `${topic}#0` }, connectionId: { S: id }, expiresAt });
  if (kind === 'orphan') return id;
  const connectedAt = { N: String(Date.now() - 3_600_000) };
  const subscriptions = { M: { [topic]: { N: '0' } } };
  await put('connections', { connectionId: { S: id }, connectedAt, subscriptions, expiresAt, ...more });
  return id;
}

/** A log whose first offset is not decided, as if its worker had died just now. A message is at the second. */
async function leaveHole(topic: string): Promise<void> {
  const nowMs = Date.now();
  const [at, expiresAt] = [{ N: String(nowMs) }, { N: String(Math.ceil(nowMs / 1000) + 3_600) }];
  const head = { epoch: { S: 'e' }, offset: { N: '2' }, createdAt: at, allocatedAt: at, previousAt: at };
  await put('topics', { topic: { S: `${topic}#log` }, ...head, expiresAt });
  const json = JSON.stringify({ messageId: 'm', offset: 2, publishedAt: '', publisher: {}, data: 1 });
  await put('messages', { log: { S: `${topic}#e` }, offset: { N: '2' }, at, json: { S: json }, expiresAt });
}

const isForgotten = async (connectionId: string): Promise<boolean> =>
  !(await backEnd.connectionsWithRows()).has(connectionId);

const publishTo = (topic: string) => backEnd.publish({ topic, data: topic });

const jobFor = (topic: string, connectionIds: readonly string[], attempt: number): DeliveryJob => ({
  group: topic,
  topic: parseTopic(topic),
  messages: [{ json: '{"data":1}' }],
  connectionIds,
  shards: [{ pattern: parsePattern(topic), shard: 0 }],
  attempt,
});

/** A job as the fan-out makes them, but for its attempt. */
const sendJob = (topic: string, connectionIds: readonly string[], attempt = ATTEMPTS_MAX) =>
  backEnd.sqs.send(
    new SendMessageCommand({
      QueueUrl: local.ready.queues.delivery,
      MessageBody: JSON.stringify(jobFor(topic, connectionIds, attempt)),
    }),
  );
const sendSlowJob = (topic: string, connectionIds: readonly string[]) =>
  backEnd.sqs.send(
    new SendMessageCommand({
      QueueUrl: local.ready.queues.slow,
      MessageBody: JSON.stringify({ ...jobFor(topic, connectionIds, ATTEMPTS_MAX), isSlow: true }),
    }),
  );

const failPosts = (connectionId: string) =>
  faults.set({
    faults: [{ on: '@connections', method: 'POST', connectionId, effect: 'answer', status: 500 }],
  });

const hangPosts = (connectionId: string) =>
  faults.set({ faults: [{ on: '@connections', method: 'POST', connectionId, effect: 'hang' }] });

/** Why dead letters are dead, of which there may be none. */
async function reasonsIn(queue: string): Promise<string[]> {
  const letters = await backEnd.drain(queue);
  return letters.flatMap(({ MessageAttributes }) => MessageAttributes?.reason?.StringValue ?? []);
}

/** Why the next one is. */
const reasonIn = (queue: string): Promise<string | undefined> =>
  until(async () => (await reasonsIn(queue))[0]);

async function countOf(
  queue: string,
  count: 'ApproximateNumberOfMessages' | 'ApproximateNumberOfMessagesNotVisible',
): Promise<number> {
  const { Attributes } = await backEnd.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: local.ready.queues[queue], AttributeNames: ['All'] }),
  );
  return Number(Attributes?.[count]);
}

const grantFor = (userId: string, topic: string) =>
  granting.tokenFor(userId, { topic, rights: ['subscribe', 'history'] } as Partial<GrantOptions>);
/** What a member has no right to. */
const BEYOND = [
  { action: 'history', topic: 'topic/a' },
  { action: 'publish', topic: 'state/a', data: 1, version: 1 },
  { action: 'send', to: { connectionId: 'a' }, data: 1 },
];

let users = 0;
const newUser = (): string => `user-${++users}`;
const revokeAllOf = (userId: string) =>
  backEnd.put({ source: 'test', detailType: 'fanwire.revoke', detail: { userId } });
/** Of a user with a connection that is gone, and has a subscription. */
const revokeGhost = async (topic: string) => {
  const userId = newUser();
  const id = await ghostOf(topic, undefined, { userId: { S: userId } });
  await revokeAllOf(userId);
  return id;
};
/** Of a user who is there. */
const revokeLive = async () => {
  const userId = newUser();
  const client = await openAs(userId);
  await revokeAllOf(userId);
  return client;
};
const revokeNobody = () => backEnd.put({ source: 'test', detailType: 'fanwire.revoke', detail: {} });
/** The least that the worker can be asked for. */
const checkNobody = () =>
  backEnd.sqs.send(
    new SendMessageCommand({ QueueUrl: local.ready.queues.closing, MessageBody: '{"connectionIds":[]}' }),
  );
/** What was put off comes back by itself, and would be counted. */
async function forgetDelayed(): Promise<void> {
  const counts = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  for (const count of counts) await until(async () => (await countOf('closing', count)) === 0);
  await backEnd.sqs.send(new PurgeQueueCommand({ QueueUrl: local.ready.queues.closing }));
  await until(async () => (await backEnd.depth('closing')) === 0);
}
const isClosed = async ({ socket }: Client) =>
  socket.readyState === socket.CLOSED || once(socket, 'close').then(() => true);
const notedAsRevoked = async () => {
  const userId = newUser();
  const revokedAt = { N: String(Date.now() + 3_600_000) };
  await put('access', { id: { S: `revoked#${userId}` }, revokedAt, expiresAt: revokedAt });
  return userId;
};

/** The first line with all these parts in it. */
const said = (...parts: string[]): Promise<unknown> =>
  until(() => lines.find((line) => parts.every((part) => line.includes(part))));

it('every right that the template grants is used, and no other', async () => {
  const [alice, bob] = [await openAs('alice'), await openAs('bob')];
  const { connectionId } = await bob.ask({ action: 'whoami' });

  for (const topic of ['a', 'b', 'c']) await alice.subscribe(topic);
  expect(await alice.ask({ action: 'subscribe', topic: 'd' })).toMatchObject({ code: 'limit_exceeded' });
  await alice.ask({ action: 'unsubscribe', topic: 'b' });
  await alice.ask({ action: 'unsubscribe', topic: 'b' }); // looks for a row that no item lists
  await alice.ask({ action: 'publish', topic: 'a', data: 'published' });
  await bob.ask({ action: 'send', to: { userId: 'alice' }, data: 'sent' });
  const log = newLog();
  const positions = [{ topic: log, epoch: 'e', offset: 1 }];
  for (const data of ['kept', 'not kept']) {
    expect(await bob.ask({ action: 'publish', topic: log, data, key: 'k' })).toMatchObject({ offset: 1 });
  }
  expect(await bob.ask({ action: 'subscribe', topic: log })).toMatchObject({ messages: [{ data: 'kept' }] });
  const ofBackEnd = newLog();
  await bob.subscribe(ofBackEnd);
  await backEnd.publish({ topic: ofBackEnd, data: 'first', key: 'k' });
  await bob.message('first');
  // This one is known by its key, and not delivered.
  await backEnd.publish({ topic: ofBackEnd, data: 'second', key: 'k' });
  await until(async () => (await backEnd.depth('ingest')) === 0);
  expect((await bob.ask({ action: 'ping', positions })).behind).toHaveLength(1);
  for (const command of [{ action: 'history' }, { action: 'subscribe', rewind: 5 }]) {
    const topic = newLog();
    await leaveHole(topic);
    expect((await bob.ask({ ...command, topic })).messages).toMatchObject([{ offset: 2 }]);
  }
  expect(await alice.ask({ action: 'shout' })).toMatchObject({ code: 'unknown_action' });

  await backEnd.publish(
    { topic: 'c', data: 'to a topic' },
    { to: { userId: 'bob' }, data: 'to a user' },
    { to: { connectionId }, data: 'to a connection' },
    { to: 'everyone', data: 'to everyone' },
    { topik: 'c' },
  );
  await Promise.all(['published', 'sent', 'to a topic', 'to everyone'].map((data) => alice.message(data)));
  await Promise.all(['to a user', 'to a connection', 'to everyone'].map((data) => bob.message(data)));
  expect(await reasonIn('ingestDeadLetters')).toContain('topik');

  // Connections that are gone and one whose posts fail: few enough for the fan-out itself, and so many that it splits.
  for (const orphans of [1, CROWD]) {
    const topic = newTopic();
    const gone = [await ghostOf(topic)];
    while (gone.length <= orphans) gone.push(await ghostOf(topic, 'orphan'));
    const failing = await subscriberOf(topic);
    await failPosts(failing.connectionId);
    await publishTo(topic);
    expect(await reasonIn('deliveryDeadLetters')).toContain('(HTTP 500)');
    for (const id of gone) await until(() => isForgotten(id));
    await failing.client.close();
  }

  // And a connection that hangs, for both of them: the job is on its last attempt when it becomes a slow one.
  const hangingTopic = newTopic();
  const hanging = await subscriberOf(hangingTopic);
  await hangPosts(hanging.connectionId);
  await publishTo(hangingTopic);
  await sendJob(hangingTopic, [hanging.connectionId]);
  expect(await reasonIn('deliveryDeadLetters')).toContain('no answer within');
  await hanging.client.close();
  await faults.clear();

  await expect(openAs(await notedAsRevoked())).rejects.toThrow('Unexpected server response: 401');
  const brief = await openAs('brief', { expiresIn: 60 });
  await brief.subscribe('a');
  const token = await granting.tokenFor('brief', { expiresIn: 90 });
  expect(await brief.ask({ action: 'authenticate', token })).toMatchObject({ type: 'ack' });
  for (const action of ['subscribe', 'history']) {
    const grant = await grantFor('brief', log);
    expect(await brief.ask({ action, topic: log, grant })).toMatchObject({ type: 'ack' });
  }
  // What its first token does not allow may be what another one does.
  for (const command of BEYOND) expect(await brief.ask(command)).toMatchObject({ code: 'forbidden' });
  const revokedGhost = await revokeGhost(newTopic());
  await until(() => isForgotten(revokedGhost));
  const revoked = await revokeLive();
  expect(await revoked.wait(({ type }) => type === 'closing')).toMatchObject({ code: 'revoked' });
  await isClosed(revoked);
  await revokeNobody();
  expect(await reasonIn('closingDeadLetters')).toContain('userId');

  for (const [worker, queue, failing, send] of FAILING_RECORDS) {
    missing = [failing];
    await send(newTopic());
    await until(() => used.has(`${worker} sqs:ChangeMessageVisibility ${queue}`));
    missing = [];
  }
  await faults.clear();

  const lost = await ghostOf(newTopic());
  clock.runSchedule();
  await until(() => isForgotten(lost));

  await Promise.all([alice.close(), bob.close(), brief.close()]);
  await until(async () => (await backEnd.connectionsWithRows()).size === 0);
  expect([...used].sort()).toEqual([...granted].sort());
  await forgetDelayed();
});

/** Brings a right to be missed, and sees what comes of it. `miss` is called when it is to be missing from now on. */
type Failure = (miss: () => void) => Promise<unknown>;

/** The client is told that something went wrong. */
const answersInternal =
  (
    command: (topic: string) => object,
    prepare?: (client: Client, topic: string) => Promise<unknown>,
    nextTopic = newTopic,
  ): Failure =>
  async (miss) => {
    const [client, topic] = [await open(), nextTopic()];
    await prepare?.(client, topic);
    miss();
    client.send(command(topic));
    expect(await client.wait(({ type }) => type === 'error')).toMatchObject({ code: 'internal' });
    missing = [];
    await client.close();
  };

/** The same to a member, whose token ends soon. */
const answersMember =
  (
    command: (topic: string, userId: string) => object | Promise<object>,
    code = 'internal',
    prepare?: (client: Client) => Promise<unknown>,
  ): Failure =>
  async (miss) => {
    const userId = newUser();
    const client = await openAs(userId, { expiresIn: 100 });
    await prepare?.(client);
    const asked = await command(newLog(), userId);
    miss();
    // A reading of the secrets that succeeded just now is not repeated at once.
    await until(async () => (await client.ask(asked)).code === code);
    missing = [];
    await client.close();
  };

/** The log says why, and some of the rows stay. */
const leavesRows =
  (action: string): Failure =>
  async (miss) => {
    const { client, connectionId } = await subscriberOf(newTopic());
    miss();
    await client.close();
    await said('Disconnect', 'invocation failed', `is not authorized to perform: ${action}`);
    expect(await isForgotten(connectionId)).toBe(false);
  };

/** The log says why, and the queue will hand out the record again. */
const failsRecord =
  (
    action: string,
    send: (topic: string) => Promise<unknown>,
    { topic = newTopic, prepare = async () => {} }: { topic?: () => string; prepare?: typeof send } = {},
  ): Failure =>
  async (miss) => {
    const to = topic();
    await prepare(to);
    miss();
    await send(to);
    await said('record failed', `is not authorized to perform: ${action}`);
  };

/** By worker and queue: a right without which a record fails, and what sends such a record. */
const FAILING_RECORDS: readonly [string, string, string, (topic: string) => Promise<unknown>][] = [
  ['Fanout', 'Ingest', 'Fanout dynamodb:Query Subscriptions', (topic) => publishToGhost(topic)],
  ['Deliver', 'Delivery', 'Deliver sqs:SendMessage DeliveryDeadLetters', (topic) => sendJobToFailing(topic)],
  ['Deliver', 'Slow', 'Deliver sqs:SendMessage DeliveryDeadLetters', (topic) => sendSlowJobToFailing(topic)],
  ['Close', 'Closing', 'Close dynamodb:UpdateItem Access', (topic) => revokeGhost(topic)],
];

/** A record that fails stays hidden for as long as ever, and the log says why. */
const staysHidden: Failure = async (miss) => {
  miss();
  const record = FAILING_RECORDS.find(([worker, queue]) =>
    missing.includes(`${worker} sqs:ChangeMessageVisibility ${queue}`),
  );
  const [, , failing = '', send = publishTo] = record ?? [];
  missing = [...missing, failing];
  await send(newTopic());
  await said('records stay hidden', 'is not authorized to perform: sqs:changemessagevisibility');
};

/** Nobody takes the message before the right is there. */
const waitsInQueue =
  (queue: string, send: (topic: string) => Promise<unknown>): Failure =>
  async (miss) => {
    const before = await backEnd.depth(queue);
    miss();
    await send(newTopic());
    await until(() => missed.length > 0);
    expect(await countOf(queue, 'ApproximateNumberOfMessages')).toBe(1);
    missing = [];
    await until(async () => (await backEnd.depth(queue)) <= before);
  };

/** The message is dealt with, and will come again all the same. Records that failed before may be hidden beside it. */
const staysInQueue =
  (queue: string, send: (topic: string) => Promise<unknown>): Failure =>
  async (miss) => {
    miss();
    await send(newTopic());
    await said('what it has done will come again', 'sqs:DeleteMessage');
    expect(await countOf(queue, 'ApproximateNumberOfMessagesNotVisible')).toBeGreaterThan(0);
  };

/** The frame becomes a dead letter that says why. */
const buries =
  (reason: RegExp, send: (topic: string) => Promise<unknown>): Failure =>
  async (miss) => {
    miss();
    await send(newTopic());
    // Records that failed before come back meanwhile, and die for reasons of their own.
    await until(async () => (await reasonsIn('deliveryDeadLetters')).some((each) => reason.test(each)));
  };

const failsSweep =
  (action: string, prepare: (topic: string) => Promise<unknown> = (topic) => ghostOf(topic)): Failure =>
  async (miss) => {
    await prepare(newTopic());
    miss();
    clock.runSchedule();
    await said('scheduler', 'AccessDenied', `is not authorized to perform: ${action}`);
  };

/** Nobody gets in whom it is needed for. */
const refuses =
  (userId: () => string | Promise<string> = newUser, more: Partial<GrantOptions> = {}): Failure =>
  async (miss) => {
    const name = await userId();
    miss();
    await expect(openAs(name, more)).rejects.toThrow('Unexpected server response: 500');
  };

/** A key that it does not know may be a new one: it reads them again, if it has not just done so. */
const knowsNoSecrets: Failure = async (miss) => {
  miss();
  const url = local.ready.websocketUrl;
  const token = await grant(
    { userId: newUser(), rights: {}, expiresIn: 60 },
    { secret: 'a'.repeat(64), audience: url },
  );
  const refusal = () =>
    granting.openWith(token).then(
      () => 'none',
      (error: Error) => error.message,
    );
  await until(async () => (await refusal()) === 'Unexpected server response: 500');
  await said('Authorize', 'the secrets of grants could not be read');
};

/** The connection is closed all the same. */
const closesUntold: Failure = async (miss) => {
  miss();
  const client = await revokeLive();
  await isClosed(client);
  expect(client.frames.filter(({ type }) => type === 'closing')).toEqual([]);
  await said('not everybody was served', 'untold');
};

/** And no other is noted: the sweep waits for handshakes, and those that were refused here look as if they went on. */
const endingSoon = async () => {
  for (const { connectionId } of await backEnd.rows('connections')) {
    const Key = { connectionId } as Item;
    await backEnd.dynamodb.send(new DeleteItemCommand({ TableName: local.ready.tables.connections, Key }));
  }
  const expiresAt = { N: String(Math.ceil(Date.now() / 1000) + 170) };
  await ghostOf(newTopic(), undefined, { expiresAt });
};

const FORBIDDEN = /^AccessDeniedException \(HTTP 403\)/;
const UNPACED = /^AccessDeniedException: .* not authorized to perform: dynamodb:UpdateItem /;
const unforgotten = (action: string) =>
  new RegExp(`^gone, but its rows stay: .* not authorized to perform: ${action} `);

const subscribing = (topic: string) => ({ action: 'subscribe', topic });
const unsubscribing = (topic: string) => ({ action: 'unsubscribe', topic });
const subscribe = (client: Client, topic: string) => client.subscribe(topic);
const subscribeToAllItMay = async (client: Client, topic: string) => {
  for (const part of ['a', 'b', 'c']) await client.subscribe(`${topic}/${part}`);
};

const publishToGhost = async (topic: string) => {
  await ghostOf(topic);
  await publishTo(topic);
};
const publishToCrowd = async (topic: string) => {
  for (let n = 0; n < CROWD; n++) await ghostOf(topic, 'orphan');
  await publishTo(topic);
};
/** As many as the fan-out serves itself, and more than may be posted to without a turn. */
const publishToSome = async (topic: string) => {
  for (let n = 0; n < CROWD - 1; n++) await ghostOf(topic, 'orphan');
  await publishTo(topic);
};
const sendJobForGhost = async (topic: string) => sendJob(topic, [await ghostOf(topic)]);
const sendSlowJobForGhost = async (topic: string) => sendSlowJob(topic, [await ghostOf(topic)]);
/** To a connection whose posts fail; the client is not closed, for that would make `$disconnect` run meanwhile. */
const toFailing =
  (send: (topic: string, connectionId: string) => Promise<unknown>, spoil = failPosts) =>
  async (topic: string) => {
    const { connectionId } = await subscriberOf(topic);
    await spoil(connectionId);
    await send(topic, connectionId);
  };
const sendJobToFailing = async (topic: string) => {
  const connectionId = idOfNobody();
  await failPosts(connectionId);
  await sendJob(topic, [connectionId]);
};
const sendSlowJobToFailing = async (topic: string) => {
  const connectionId = idOfNobody();
  await failPosts(connectionId);
  await sendSlowJob(topic, [connectionId]);
};
const toLive = (send: (topic: string, connectionId: string) => Promise<unknown>) => async (topic: string) =>
  send(topic, (await subscriberOf(topic)).connectionId);

const publishKeyed = (topic: string) => backEnd.publish({ topic, data: topic, key: 'k' });
/** And waits until it is stored. */
const storeKeyed = async (topic: string) => {
  const { client } = await subscriberOf(topic);
  await publishKeyed(topic);
  await client.message(topic);
};

/** What a command that reads a log, and finds a hole in it, cannot do without. */
const readsLog = (id: string, command: (topic: string) => object): Record<string, Failure> =>
  Object.fromEntries(
    ['GetItem', 'Query', 'PutItem'].map((operation) => [
      `${id} dynamodb:${operation} Messages`,
      answersInternal(command, (_, topic) => leaveHole(topic), newLog),
    ]),
  );
const publishing = (topic: string) => ({ action: 'publish', topic, data: 1, key: 'k' });
const historyOf = (topic: string) => ({ action: 'history', topic });
const renewing = async (_: string, userId: string) => ({
  action: 'authenticate',
  token: await granting.tokenFor(userId, { expiresIn: 120 }),
});
const withGrant = (action: string) => async (topic: string, userId: string) => ({
  ...{ action, topic, grant: await grantFor(userId, topic) },
});
/** Signed with a secret that may be a new one. */
const strange = async (action: string) => {
  const options = { userId: 'ada', rights: {}, expiresIn: 60 };
  const signed = await grant(options, { secret: 'a'.repeat(64), audience: local.ready.websocketUrl });
  return { action, ...(action === 'authenticate' ? { token: signed } : { topic: newLog(), grant: signed }) };
};
const takesTokens = (name: string, action: string): Record<string, Failure> => ({
  [`${name} dynamodb:BatchGetItem Access`]: answersMember(
    action === 'authenticate' ? renewing : withGrant(action),
  ),
  [`${name} secretsmanager:GetSecretValue GrantsSecret`]: answersMember(() => strange(action), 'unavailable'),
});

const FAILURES: Record<string, Failure> = {
  'Connect dynamodb:PutItem Connections': async (miss) => {
    miss();
    await expect(open()).rejects.toThrow('Unexpected server response: 500');
  },
  'Connect dynamodb:BatchGetItem Access': refuses(),
  'Connect dynamodb:DeleteItem Connections': refuses(notedAsRevoked),
  'Connect sqs:SendMessage Closing': refuses(newUser, { expiresIn: 60 }),
  'Disconnect dynamodb:DeleteItem Connections': leavesRows('dynamodb:DeleteItem'),
  'Disconnect dynamodb:BatchWriteItem Subscriptions': leavesRows('dynamodb:BatchWriteItem'),
  'Subscribe dynamodb:GetItem Topics': answersInternal(subscribing),
  'Subscribe dynamodb:UpdateItem Topics': answersInternal(subscribing),
  'Subscribe dynamodb:UpdateItem Connections': answersInternal(subscribing),
  'Subscribe dynamodb:GetItem Connections': answersInternal(subscribing, subscribeToAllItMay),
  'Subscribe dynamodb:PutItem Subscriptions': answersInternal(subscribing),
  ...readsLog('Subscribe', (topic) => ({ ...subscribing(topic), rewind: 5 })),
  ...readsLog('History', historyOf),
  'History dynamodb:GetItem Topics': answersInternal(historyOf, undefined, newLog),
  'History dynamodb:GetItem Connections': answersMember(() => BEYOND[0] ?? {}),
  'Publish dynamodb:GetItem Connections': answersMember(() => BEYOND[1] ?? {}),
  'Send dynamodb:GetItem Connections': answersMember(() => BEYOND[2] ?? {}),
  ...takesTokens('Subscribe', 'subscribe'),
  ...takesTokens('History', 'history'),
  ...takesTokens('Authenticate', 'authenticate'),
  'Authenticate dynamodb:GetItem Connections': answersMember(renewing),
  'Authenticate dynamodb:UpdateItem Connections': answersMember(renewing),
  'Authenticate dynamodb:UpdateItem Subscriptions': answersMember(renewing, 'internal', (client) =>
    client.subscribe('a'),
  ),
  'Authenticate sqs:SendMessage Closing': answersMember(renewing),
  'Unsubscribe dynamodb:GetItem Connections': answersInternal(unsubscribing, subscribe),
  'Unsubscribe dynamodb:UpdateItem Connections': answersInternal(unsubscribing, subscribe),
  'Unsubscribe dynamodb:BatchWriteItem Subscriptions': answersInternal(unsubscribing, subscribe),
  'Unsubscribe dynamodb:BatchGetItem Topics': answersInternal(unsubscribing),
  'Publish events:PutEvents Bus': answersInternal(publishing),
  ...Object.fromEntries(
    [
      'GetItem Topics',
      'UpdateItem Topics',
      'PutItem Topics',
      'PutItem Messages',
      'BatchGetItem Messages',
    ].map((what) => [`Publish dynamodb:${what}`, answersInternal(publishing, undefined, newLog)]),
  ),
  // Of a message that is there already.
  'Publish dynamodb:GetItem Messages': answersInternal(
    publishing,
    (client, topic) => client.ask(publishing(topic)),
    newLog,
  ),
  'Send events:PutEvents Bus': answersInternal(() => ({ action: 'send', to: { userId: 'a' }, data: 1 })),
  'Whoami dynamodb:GetItem Connections': answersInternal(() => ({ action: 'whoami' })),
  'Ping dynamodb:GetItem Connections': answersInternal(() => ({ action: 'ping' })),
  'Ping dynamodb:BatchGetItem Topics': answersInternal((topic) => ({
    action: 'ping',
    positions: [{ topic, epoch: 'e', offset: 1 }],
  })),

  'Fanout sqs:GetQueueAttributes Ingest': waitsInQueue('ingest', publishTo),
  'Fanout sqs:ReceiveMessage Ingest': waitsInQueue('ingest', publishTo),
  'Fanout sqs:DeleteMessage Ingest': staysInQueue('ingest', publishTo),
  'Fanout sqs:ChangeMessageVisibility Ingest': staysHidden,
  'Fanout dynamodb:BatchGetItem Topics': failsRecord('dynamodb:BatchGetItem', publishTo),
  'Fanout dynamodb:UpdateItem Topics': buries(UNPACED, publishToSome),
  'Fanout dynamodb:GetItem Topics': failsRecord('dynamodb:GetItem', publishTo, { topic: newLog }),
  'Fanout dynamodb:PutItem Topics': failsRecord('dynamodb:PutItem', publishTo, { topic: newLog }),
  'Fanout dynamodb:PutItem Messages': failsRecord('dynamodb:PutItem', publishTo, { topic: newLog }),
  'Fanout dynamodb:BatchGetItem Messages': failsRecord('dynamodb:BatchGetItem', publishKeyed, {
    topic: newLog,
  }),
  'Fanout dynamodb:GetItem Messages': failsRecord('dynamodb:GetItem', publishKeyed, {
    topic: newLog,
    prepare: storeKeyed,
  }),
  'Fanout dynamodb:Query Subscriptions': failsRecord('dynamodb:Query', publishToGhost),
  'Fanout dynamodb:Query Connections/index/byUser': failsRecord('dynamodb:Query', () =>
    backEnd.publish({ to: { userId: 'alice' }, data: 1 }),
  ),
  'Fanout dynamodb:Scan Connections': failsRecord('dynamodb:Scan', () =>
    backEnd.publish({ to: 'everyone', data: 1 }),
  ),
  'Fanout sqs:SendMessage IngestDeadLetters': failsRecord('sqs:sendmessage', () =>
    backEnd.publish({ topik: 1 }),
  ),
  'Fanout sqs:SendMessage Delivery': failsRecord('sqs:sendmessage', publishToCrowd),
  'Fanout sqs:SendMessage Slow': failsRecord('sqs:sendmessage', toFailing(publishTo, hangPosts)),
  'Fanout sqs:SendMessage DeliveryDeadLetters': failsRecord('sqs:sendmessage', toFailing(publishTo)),
  'Fanout execute-api:ManageConnections POST @connections': buries(FORBIDDEN, toLive(publishTo)),
  'Fanout dynamodb:DeleteItem Connections': buries(unforgotten('dynamodb:DeleteItem'), publishToGhost),
  'Fanout dynamodb:BatchWriteItem Subscriptions': buries(
    unforgotten('dynamodb:BatchWriteItem'),
    publishToGhost,
  ),

  'Deliver sqs:GetQueueAttributes Delivery': waitsInQueue('delivery', sendJobForGhost),
  'Deliver sqs:ReceiveMessage Delivery': waitsInQueue('delivery', sendJobForGhost),
  'Deliver sqs:DeleteMessage Delivery': staysInQueue('delivery', sendJobForGhost),
  'Deliver sqs:ChangeMessageVisibility Delivery': staysHidden,
  'Deliver sqs:SendMessage Delivery': failsRecord(
    'sqs:sendmessage',
    toFailing((topic, id) => sendJob(topic, [id], 1)),
  ),
  'Deliver sqs:GetQueueAttributes Slow': waitsInQueue('slow', sendSlowJobForGhost),
  'Deliver sqs:ReceiveMessage Slow': waitsInQueue('slow', sendSlowJobForGhost),
  'Deliver sqs:DeleteMessage Slow': staysInQueue('slow', sendSlowJobForGhost),
  'Deliver sqs:ChangeMessageVisibility Slow': staysHidden,
  'Deliver sqs:SendMessage Slow': failsRecord(
    'sqs:sendmessage',
    toFailing((topic, id) => sendJob(topic, [id]), hangPosts),
  ),
  'Deliver sqs:SendMessage DeliveryDeadLetters': failsRecord(
    'sqs:sendmessage',
    toFailing((topic, id) => sendJob(topic, [id])),
  ),
  'Deliver execute-api:ManageConnections POST @connections': buries(
    FORBIDDEN,
    toLive((topic, id) => sendJob(topic, [id])),
  ),
  'Deliver dynamodb:UpdateItem Topics': buries(UNPACED, (topic) =>
    sendJob(topic, Array.from({ length: CROWD }, idOfNobody)),
  ),
  'Deliver dynamodb:DeleteItem Connections': buries(unforgotten('dynamodb:DeleteItem'), sendJobForGhost),
  'Deliver dynamodb:BatchWriteItem Subscriptions': buries(
    unforgotten('dynamodb:BatchWriteItem'),
    sendJobForGhost,
  ),

  'Close sqs:GetQueueAttributes Closing': waitsInQueue('closing', checkNobody),
  'Close sqs:ReceiveMessage Closing': waitsInQueue('closing', checkNobody),
  'Close sqs:DeleteMessage Closing': staysInQueue('closing', checkNobody),
  'Close sqs:ChangeMessageVisibility Closing': staysHidden,
  'Close dynamodb:UpdateItem Access': failsRecord('dynamodb:UpdateItem', revokeGhost),
  'Close dynamodb:Query Connections/index/byUser': failsRecord('dynamodb:Query', revokeGhost),
  'Close dynamodb:GetItem Connections': failsRecord('dynamodb:GetItem', revokeGhost),
  'Close dynamodb:DeleteItem Connections': failsRecord('dynamodb:DeleteItem', revokeGhost),
  'Close dynamodb:BatchWriteItem Subscriptions': failsRecord('dynamodb:BatchWriteItem', revokeGhost),
  'Close sqs:SendMessage Closing': failsRecord('sqs:sendmessage', revokeGhost),
  'Close sqs:SendMessage ClosingDeadLetters': failsRecord('sqs:sendmessage', revokeNobody),
  'Close execute-api:ManageConnections DELETE @connections': failsRecord(
    'execute-api:ManageConnections',
    revokeGhost,
  ),
  'Close execute-api:ManageConnections POST @connections': closesUntold,

  'Sweep sqs:SendMessage Closing': failsSweep('sqs:sendmessage', endingSoon),
  'Sweep dynamodb:Scan Connections': failsSweep('dynamodb:Scan'),
  'Sweep execute-api:ManageConnections GET @connections': failsSweep('execute-api:ManageConnections'),
  'Sweep dynamodb:DeleteItem Connections': failsSweep('dynamodb:DeleteItem'),
  'Sweep dynamodb:BatchWriteItem Subscriptions': failsSweep('dynamodb:BatchWriteItem'),
  'Scheduler lambda:InvokeFunction SweepFunction': failsSweep('lambda:InvokeFunction'),

  'Authorize secretsmanager:GetSecretValue GrantsSecret': knowsNoSecrets,
};

/** What makes each function run. */
const RUNS: Record<string, () => Promise<unknown>> = {
  Authorize: () => open(),
  Connect: () => open(),
  Disconnect: async () => (await open()).close(),
  ...Object.fromEntries(
    ['subscribe', 'unsubscribe', 'publish', 'send', 'history', 'authenticate', 'whoami', 'ping'].map(
      (action) => [
        action.charAt(0).toUpperCase() + action.slice(1),
        async () => (await open()).ask({ action }),
      ],
    ),
  ),
  DefaultRoute: async () => (await open()).ask({ action: 'shout' }),
  Fanout: () => publishTo(newTopic()),
  Deliver: () => sendJob(newTopic(), []),
  Close: checkNobody,
  Sweep: async () => clock.runSchedule(),
};

for (const [id, run] of Object.entries(RUNS)) {
  for (const action of ['logs:CreateLogStream', 'logs:PutLogEvents']) {
    FAILURES[`${id} ${action} ${id}Log`] = async (miss) => {
      miss();
      await run();
      await said(`${id}Function`, 'what it logs is lost', `is not authorized to perform: ${action}`);
    };
  }
}

describe('without the right', () => {
  it('which is any of those granted', () => {
    expect(Object.keys(FAILURES).sort()).toEqual([...granted].sort());
  });

  it.each(Object.entries(FAILURES))('%s', async (right, fail) => {
    await fail(() => {
      missing = [right];
    });
    expect(missed).toContain(right);
    await faults.clear();
  });

  it('to log, what a function prints is lost', async () => {
    const client = await open();
    const log = 'Whoami logs:PutLogEvents WhoamiLog';
    const fail = async (...rights: string[]) => {
      missing = ['Whoami dynamodb:GetItem Connections', ...rights];
      const { length } = client.frames;
      client.send({ action: 'whoami' });
      await until(() => client.frames.length > length);
    };
    await fail(log);
    // Lambda's own note, and the line in which the function says why it failed.
    await until(() => missed.filter((right) => right === log).length === 2);
    await fail();
    await said('WhoamiFunction', 'invocation failed');
    expect(lines.filter((line) => line.includes('invocation failed'))).toHaveLength(1);
    await client.close();
  });
});
