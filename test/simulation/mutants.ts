import type { FanOutDeps } from '../../services/fanout/fan-out.ts';
import type { SubscribeDeps } from '../../services/subscribe/subscribe.ts';
import type { SweepDeps } from '../../services/sweep/sweep.ts';
import type { Position, Subscription } from '../../shared/client/index.ts';
import type { Shard } from '../../shared/data/shards.ts';
import type { RunDeps } from '../../shared/delivery/run.ts';
import { keepsHistory, namespaceOf } from '../../shared/protocol/namespaces.ts';
import { isTopic, type Topic } from '../../shared/protocol/topic.ts';
import type { DeliveryJob } from '../../shared/queues/job.ts';
import type { Environment } from './lambda.ts';
import type { Mode } from './modes.ts';
import { PLANTED } from './planted.ts';
import type { Plant } from './sources.ts';
import type { Bend, Bends } from './system.ts';

/** Where an application believes that it is: what the SDK says, or, bent, the newest that its socket has brought. */
export type PositionOf = (subscription: Subscription, newest: Position | undefined) => Position | undefined;
export const realPosition: PositionOf = ({ position }) => position;

/** A bug, planted from outside or in the source, that the simulation has to find. */
export interface Mutant extends Bends {
  /** In which it is found, if it is not in the usual one. */
  readonly mode?: Mode;
  readonly plant?: Plant;
  readonly positionOf?: PositionOf;
}

/** What only one function gets is changed. */
const bendOf = <D>(service: string, change: (deps: D, environment: Environment) => D): Bend =>
  ((name: string, deps: D, environment: Environment) =>
    name === service ? change(deps, environment) : deps) as Bend;

/** Who is subscribed is read when an offset is taken, which is before the message is in the log. */
const logAfterRead: Mutant = {
  bend: bendOf<FanOutDeps>('fanout', (deps, environment) => {
    const { shards, subscriptions, logs } = deps;
    const shardsOf = new Map<Topic, Shard[]>();
    const idsIn = new Map<string, string[]>();
    const nameOf = ({ pattern, shard }: Shard) => `${pattern}#${shard}`;
    let invocation = 0;
    const look = async (topic: Topic) => {
      const found = await shards.covering(topic);
      for (const shard of found) {
        idsIn.set(nameOf(shard), (await Array.fromAsync(subscriptions.subscribers(shard))).flat());
      }
      shardsOf.set(topic, found);
    };
    /** What was seen is good for one time, and one invocation. */
    const take = <K, V>(seen: Map<K, V>, key: K): V | undefined => {
      const value = seen.get(key);
      seen.delete(key);
      return invocation === environment.invocations ? value : undefined;
    };
    return {
      ...deps,
      logs: {
        ...logs,
        allocate: async (log, count) => {
          if (invocation !== environment.invocations) idsIn.clear();
          invocation = environment.invocations;
          await look(log.topic);
          return logs.allocate(log, count);
        },
      },
      shards: {
        grow: shards.grow,
        covering: async (topic) => take(shardsOf, topic) ?? shards.covering(topic),
      },
      subscriptions: {
        async *subscribers(shard) {
          const ids = take(idsIn, nameOf(shard));
          if (ids) yield ids;
          else yield* subscriptions.subscribers(shard);
        },
      },
    };
  }),
};

/** The row is written when the log has been looked at. */
const subscribeAfterRead: Mutant = {
  bend: bendOf<SubscribeDeps>('subscribe', (deps) => {
    let put: (() => Promise<unknown>) | undefined;
    return {
      ...deps,
      subscriptions: {
        put: async (...row) => {
          put = () => deps.subscriptions.put(...row);
          const [{ pattern }] = row;
          // Where there is no log there is nothing to look at.
          if (!isTopic(pattern) || !keepsHistory(namespaceOf(pattern, deps.namespaces))) await put();
          return true;
        },
      },
      logs: {
        ...deps.logs,
        head: async (topic) => {
          const head = await deps.logs.head(topic);
          await put?.();
          return head;
        },
      },
    };
  }),
};

/** What failed is tried again together with what did not. */
const retryWholeJob: Mutant = {
  bend: (name, deps, environment) => {
    if (name !== 'fanout' && name !== 'deliver') return deps;
    const { post, deliveryQueue, ...rest } = deps as unknown as FanOutDeps;
    const decoder = new TextDecoder();
    /** What this invocation has posted, and to whom. */
    let posted: { readonly connectionId: string; readonly text: string }[] = [];
    let invocation = 0;
    const whole = (job: DeliveryJob): DeliveryJob => {
      const [first] = job.messages;
      const alike = posted.filter(({ text }) => first && text.includes(first.json.slice(1)));
      const ids = [...job.connectionIds, ...alike.map(({ connectionId }) => connectionId)];
      return job.attempt === 1 ? job : { ...job, connectionIds: [...new Set(ids)] };
    };
    const bent: FanOutDeps = {
      ...rest,
      post: (connectionId, frame) => {
        if (invocation !== environment.invocations) posted = [];
        invocation = environment.invocations;
        posted.push({ connectionId, text: decoder.decode(frame) });
        return post(connectionId, frame);
      },
      deliveryQueue: {
        enqueue: (jobs, delaySeconds) => deliveryQueue.enqueue(jobs.map(whole), delaySeconds),
      },
    };
    return bent as unknown as typeof deps;
  },
};

/** Whoever finds a hole takes it for a tombstone, and writes none. */
const forgottenTombstone: Mutant = {
  bend: (_, deps) => {
    const { logs } = deps as Partial<SubscribeDeps>;
    if (!logs?.write) return deps;
    const write: typeof logs.write = (log, entry, keepSeconds) =>
      entry.json === undefined ? Promise.resolve(true) : logs.write(log, entry, keepSeconds);
    return { ...deps, logs: { ...logs, write } };
  },
};

/** What has arrived counts as processed. */
const positionBeforeDelivery: Mutant = {
  positionOf: (subscription, newest) => newest ?? subscription.position,
};

/** What failed is not tried again. */
const retryForgotten: Mutant = {
  bend: bendOf<RunDeps>('deliver', (deps) => ({ ...deps, deliveryQueue: { enqueue: async () => {} } })),
};

/** Rows of connections that answered 410 stay. */
const rowsKept: Mutant = {
  bend: (name, deps) =>
    name === 'fanout' || name === 'deliver' ? { ...deps, forget: async () => {} } : deps,
};

/** Nobody looks whether a message has an offset already. */
const claimIgnored: Mutant = {
  bend: bendOf<FanOutDeps>('fanout', (deps) => ({
    ...deps,
    logs: { ...deps.logs, claims: async () => new Map(), claim: async () => true },
  })),
};

/** The answer of a batch call does not say what was refused. */
const unreported = <C extends { readonly send: (command: never) => unknown }>(
  client: C,
  well: object,
): C => ({
  ...client,
  send: async (command: never) => ({ ...((await client.send(command)) as object), ...well }),
});

/** What SendMessageBatch refuses is dropped. */
const refusedJobDropped: Mutant = {
  bendClients: (clients) => {
    const sqs = unreported(clients.sqs, { Failed: [] });
    return { ...clients, sqs, late: async () => ({ ...(await clients.late()), sqs }) };
  },
};

/** What PutEvents refuses is acknowledged and dropped. */
const refusedEventDropped: Mutant = {
  bendClients: (clients) => ({
    ...clients,
    eventBridge: unreported(clients.eventBridge, { FailedEntryCount: 0 }),
  }),
};

async function* untilEmpty(pages: AsyncIterable<string[]>): AsyncIterable<string[]> {
  for await (const page of pages) {
    if (page.length === 0) return;
    yield page;
  }
}

/** A page of subscribers that have all expired is taken for the last. */
const emptyPageEnds: Mutant = {
  bend: bendOf<FanOutDeps>('fanout', (deps) => ({
    ...deps,
    subscriptions: { subscribers: (shard) => untilEmpty(deps.subscriptions.subscribers(shard)) },
  })),
};

/** The same with connections, for a message to a user or to everyone. */
const emptyPageEndsUser: Mutant = {
  bend: bendOf<FanOutDeps>('fanout', ({ connections, ...deps }) => ({
    ...deps,
    connections: {
      ...connections,
      ofUser: (userId) => untilEmpty(connections.ofUser(userId)),
      all: () => untilEmpty(connections.all()),
    },
  })),
};

/** The sweep takes a connection for gone if it gets any error. */
const anyErrorIsGone: Mutant = {
  bend: bendOf<SweepDeps>('sweep', (deps) => ({
    ...deps,
    isOpen: (connectionId) => deps.isOpen(connectionId).catch(() => false),
  })),
};

/** When a subscription expires is written in milliseconds. */
const expiryInMs: Mutant = {
  bend: bendOf<SubscribeDeps>('subscribe', (deps) => ({
    ...deps,
    subscriptions: {
      put: (row, expiresAtSeconds) => deps.subscriptions.put(row, expiresAtSeconds * 1_000),
    },
  })),
};

/** What is tried again knows no end of its time. */
const retryForgetsAge: Mutant = {
  bend: (name, deps) => {
    if (name !== 'fanout' && name !== 'deliver') return deps;
    const { deliveryQueue } = deps as Pick<RunDeps, 'deliveryQueue'>;
    const ageless = (job: DeliveryJob): DeliveryJob => ({
      ...job,
      messages: job.messages.map(({ json }) => ({ json })),
    });
    const enqueue: typeof deliveryQueue.enqueue = (jobs, delaySeconds) =>
      deliveryQueue.enqueue(jobs.map(ageless), delaySeconds);
    return { ...deps, deliveryQueue: { enqueue } };
  },
};

/** What failed is tried again, when everybody has forgotten it. */
const retryAfterAges: Mutant = {
  mode: 'liveness',
  bend: (name, deps) => {
    if (name !== 'fanout' && name !== 'deliver') return deps;
    const { deliveryQueue } = deps as Pick<RunDeps, 'deliveryQueue'>;
    return { ...deps, deliveryQueue: { enqueue: (jobs: DeliveryJob[]) => deliveryQueue.enqueue(jobs, 900) } };
  },
};

export const MUTANTS: ReadonlyMap<string, Mutant> = new Map(
  Object.entries({
    logAfterRead,
    subscribeAfterRead,
    retryWholeJob,
    forgottenTombstone,
    positionBeforeDelivery,
    retryForgotten,
    rowsKept,
    claimIgnored,
    refusedJobDropped,
    refusedEventDropped,
    emptyPageEnds,
    emptyPageEndsUser,
    anyErrorIsGone,
    expiryInMs,
    retryForgetsAge,
    retryAfterAges,
    ...PLANTED,
  }),
);
