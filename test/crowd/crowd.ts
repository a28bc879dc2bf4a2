import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';
import type { Runtime } from '../../infra/local/runtime.ts';
import { completeSettings } from '../../infra/settings.ts';
import { assemble } from '../../services/subscribe/assemble.ts';
import type { SubscribeDeps } from '../../services/subscribe/subscribe.ts';
import { chunks, mapLimit } from '../../shared/async.ts';
import { createShards } from '../../shared/data/shards.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { BackEnd } from '../support/back-end.ts';
import { bootLocal, type TemplateResources } from '../support/local.ts';
import { namespacesOf } from '../support/namespaces.ts';
import { NEVER_RENEWED, NO_TOKENS } from '../support/no-guard.ts';
import { until } from '../support/until.ts';
import {
  type Conduct,
  type CrowdData,
  clockMs,
  connectionIdOf,
  GOOD_CONDUCT,
  type Latency,
  type Question,
  type Report,
  type Span,
} from './conduct.ts';

const HOUR_SECONDS = 3_600;
const WRITES_IN_FLIGHT_MAX = 16;

export interface CrowdOptions {
  /** There may be so many connections. */
  readonly connections: number;
  readonly conduct?: Conduct;
  /** Environment variables of the two workers. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The real pipeline (bus, queues, tables, Lambdas) with stubbed sockets: the workers post to an endpoint of our own
 * that stands for more connections than a machine can hold.
 */
export class Crowd {
  readonly backEnd: BackEnd;
  readonly local: Runtime;
  readonly #endpoint: Worker;

  private constructor(local: Runtime, endpoint: Worker) {
    this.local = local;
    this.backEnd = new BackEnd(local.ready);
    this.#endpoint = endpoint;
  }

  static async gather({ connections, conduct = GOOD_CONDUCT, env = {} }: CrowdOptions): Promise<Crowd> {
    const endpoint = new Worker(join(import.meta.dirname, 'endpoint.ts'), {
      workerData: { conduct, connections },
    });
    const [port] = await once(endpoint, 'message');
    const edit = (resources: TemplateResources) => {
      for (const { Type, Properties } of Object.values(resources)) {
        const variables = Type === 'AWS::Lambda::Function' && Properties.Environment?.Variables;
        if (!variables?.POST_TIMEOUT_MS) continue;
        Object.assign(variables, { CALLBACK_URL: `http://127.0.0.1:${port}/prod`, ...env });
      }
    };
    return new Crowd(await bootLocal({ edit }), endpoint);
  }

  /** Writes the subscriptions of connections `from` up to `to`, all in the topic's first shard. */
  async seed(topic: string, from: number, to: number): Promise<void> {
    const expiresAt = Math.floor(Date.now() / 1_000) + HOUR_SECONDS;
    const table = String(this.local.ready.tables.subscriptions);
    const items = Array.from({ length: to - from }, (_, index) => ({
      topicShard: { S: `${topic}#0` },
      connectionId: { S: connectionIdOf(from + index) },
      expiresAt: { N: String(expiresAt) },
    }));
    await this.shards().ensure(parsePattern(topic), expiresAt);
    const writes = await mapLimit([...chunks(items, 25)], WRITES_IN_FLIGHT_MAX, (chunk) =>
      this.backEnd.dynamodb.send(
        new BatchWriteItemCommand({
          RequestItems: { [table]: chunk.map((Item) => ({ PutRequest: { Item } })) },
        }),
      ),
    );
    for (const write of writes) if (write.status === 'rejected') throw write.reason;
  }

  shards() {
    return createShards(this.backEnd.dynamodb, String(this.local.ready.tables.topics), systemClock);
  }
  /** What the route `subscribe` has, but for the connection that it would look up: there are only subscriptions. */
  subscribeDeps(): SubscribeDeps {
    const { tables } = this.local.ready;
    const config = {
      connectionsTable: String(tables.connections),
      subscriptionsTable: String(tables.subscriptions),
      topicsTable: String(tables.topics),
      messagesTable: String(tables.messages),
      subscriptionsMax: 1,
      namespaces: namespacesOf(),
      authorization: 'none' as const,
      accessTable: String(tables.access),
      limits: completeSettings({}).limits,
    };
    return {
      ...assemble(config, { dynamodb: this.backEnd.dynamodb, ...NO_TOKENS }, systemClock),
      connections: {
        addSubscription: async (_, __, shard) => ({ shard, standing: NEVER_RENEWED }),
        noteEnd: async () => {},
      },
    };
  }

  /** Publishes one message, numbered, with further fields of the event's detail. */
  async publish(topic: string, message: number, fields: object = {}): Promise<void> {
    const data: CrowdData = { message, publishedAtMs: clockMs() };
    await this.backEnd.publish({ topic, data, ...fields });
  }

  /** Until nothing is waiting, delayed or being worked on. */
  async settled(): Promise<void> {
    await until(async () => {
      const depths = Object.entries(await this.backEnd.depths());
      return depths.every(([queue, depth]) => depth === 0 || queue.endsWith('DeadLetters'));
    });
  }

  async report(due: Question['due'] = {}): Promise<Report> {
    this.#endpoint.postMessage({ due } satisfies Question);
    const [report] = await once(this.#endpoint, 'message');
    return report;
  }

  async latency(messages: Span): Promise<Latency> {
    this.#endpoint.postMessage(messages);
    const [latency] = await once(this.#endpoint, 'message');
    return latency;
  }

  /** Forgets what came so far. */
  async reset(): Promise<void> {
    this.#endpoint.postMessage('reset');
    await once(this.#endpoint, 'message');
  }

  async disperse(): Promise<void> {
    await this.local.stop();
    await this.#endpoint.terminate();
  }
}
