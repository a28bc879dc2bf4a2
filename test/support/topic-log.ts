import { type AttributeValue, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { createLogs, type Head, type Log, type Logs } from '../../shared/data/log.ts';
import type { ReplayDeps, View } from '../../shared/data/replay.ts';
import type { Draft } from '../../shared/data/sequence/draft.ts';
import { type Sequenced, sequence } from '../../shared/data/sequence/sequence.ts';
import { headKey } from '../../shared/data/tables.ts';
import type { HistoryNamespace } from '../../shared/protocol/namespaces.ts';
import { parseTopic, type Topic } from '../../shared/protocol/topic.ts';
import { LAG_MAX_MS, type MakeRequest, MemoryDynamoDB } from '../memory/dynamodb.ts';
import { dataJson } from './json-texts.ts';
import { namespacesOf } from './namespaces.ts';

/** A moment just before or after a request of a worker or a reader, at which a test may interfere. */
export type Step = `${'before' | 'after'} ${keyof Logs}`;
/** Called at every step of a worker or a reader, which dies there if it rejects. */
export type AtStep = (step: Step) => unknown;

/** What a worker rejects with that was killed. */
class Death extends Error {
  override readonly name = 'Death';
}
export const dies = (): never => {
  throw new Death('expected to live, got killed');
};
/** Does it at the first such step, and never again. */
export const once = (at: Step, act: () => unknown): AtStep => {
  let isDone = false;
  return (step) => {
    if (step !== at || isDone) return undefined;
    isDone = true;
    return act();
  };
};

export interface LogSettings {
  /** What a topic keeps; messages and seconds are plenty by default. */
  readonly messages?: number;
  readonly seconds?: number;
  readonly lastValue?: boolean;
  /** Entries in one read: 1 MB on AWS. */
  readonly pageItemsMax?: number;
}

/** Answers eventual reads with what was there long ago, so that a read that must be consistent and is not shows. */
const stale: MakeRequest = async (_, perform) => perform({ lagMs: LAG_MAX_MS });

type Worker = (...drafts: readonly Draft[]) => Promise<Sequenced[]>;

/** The log of one topic in tables in memory, at a time that only a test moves. */
export class TopicLog {
  readonly topic: Topic = parseTopic('chat/lobby');
  readonly namespace: HistoryNamespace;
  readonly tables: MemoryDynamoDB;
  nowMs = Date.UTC(2026, 10, 20, 5);
  #epochs = 0;

  constructor({
    messages = 1_000,
    seconds = 3_600,
    lastValue = false,
    pageItemsMax = 1_000,
  }: LogSettings = {}) {
    const { chat } = namespacesOf({ chat: { history: { messages, seconds }, lastValue } });
    this.namespace = chat as HistoryNamespace;
    this.tables = new MemoryDynamoDB({ now: this.now, pageItemsMax });
  }

  readonly now = (): number => this.nowMs;
  /** By moving the clock. */
  readonly wait = async (ms: number): Promise<void> => {
    this.nowMs += ms;
  };
  readonly newEpoch = (): string => `epoch-${++this.#epochs}`;

  /** The repository, with a hook at each step. */
  logs(atStep: AtStep = () => {}, makeRequest: MakeRequest = stale): Logs {
    const client = this.tables.client(makeRequest);
    const clock = { now: this.now, wait: this.wait, random: () => 0 };
    const logs = createLogs(client, { topicsTable: 'topics', messagesTable: 'messages' }, clock);
    return new Proxy(logs, {
      get: (target, name: keyof Logs) => {
        const method = target[name] as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          await atStep(`before ${name}`);
          const result = await method(...args);
          await atStep(`after ${name}`);
          return result;
        };
      },
    });
  }

  /** A worker that knows no epoch yet, and remembers the one it finds. */
  worker(atStep?: AtStep, makeRequest?: MakeRequest): Worker {
    const { now, newEpoch: newId } = this;
    const deps = { logs: this.logs(atStep, makeRequest), epochs: new Map<Topic, string>(), newId, now };
    return (...drafts) => sequence(this.topic, drafts, this.namespace, deps);
  }

  /** A worker that has just started gets this, and lives. */
  publish(...drafts: readonly Draft[]): Promise<Sequenced[]> {
    return this.worker()(...drafts);
  }

  /** A message that has its id for data, published now. */
  draft(messageId: string, changes: Partial<Draft> = {}): Draft {
    const publishedAt = new Date(this.nowMs).toISOString();
    return {
      message: { messageId, publishedAt, publisher: {}, data: dataJson(messageId) },
      acceptedAtMs: this.nowMs,
      origin: messageId,
      source: {},
      mayBeRepeated: false,
      needsClaim: true,
      ...changes,
    };
  }

  /** A publication of the message with this key. */
  keyed(key: string, origin: string, changes: Partial<Draft> = {}): Draft {
    return this.draft(key, { origin, mayBeRepeated: true, ...changes });
  }

  async log(): Promise<Log> {
    return { topic: this.topic, epoch: (await this.head()).epoch };
  }

  head(): Promise<Head> {
    return this.logs().open(this.topic, this.newEpoch());
  }

  /** As code does that knows only some of its attributes; `:nowMs` is the time. */
  async updateHead(UpdateExpression: string, values: Record<string, AttributeValue> = {}): Promise<void> {
    await this.tables.client().send(
      new UpdateItemCommand({
        TableName: 'topics',
        Key: headKey(this.topic),
        UpdateExpression,
        ...(UpdateExpression.includes('#offset') && { ExpressionAttributeNames: { '#offset': 'offset' } }),
        ExpressionAttributeValues: { ':nowMs': { N: String(this.nowMs) }, ...values },
      }),
    );
  }

  /** What a reader starts with. */
  async view(connectionId = 'reader'): Promise<View> {
    const head = await this.head();
    const { topic, namespace } = this;
    return { log: { topic, epoch: head.epoch }, head, namespace, connectionId };
  }

  /** A reader's means. */
  reading(atStep?: AtStep, makeRequest?: MakeRequest): ReplayDeps {
    const { now, wait } = this;
    return { logs: this.logs(atStep, makeRequest), now, wait };
  }

  /** By offset from 1 to the head: a message's id, `null` for a tombstone, `undefined` for what is not decided. */
  async contents(): Promise<(string | null | undefined)[]> {
    const { epoch, offset } = await this.head();
    const contents: (string | null | undefined)[] = Array.from({ length: offset });
    for (const item of this.tables.items('messages')) {
      if (item.log?.S !== `${this.topic}#${epoch}`) continue;
      const { N } = item.offset ?? {};
      contents[Number(N) - 1] = item.json?.S === undefined ? null : JSON.parse(item.json.S).messageId;
    }
    return contents;
  }
}

export const redelivered = (draft: Draft): Draft => ({ ...draft, mayBeRepeated: true });

/** Where a message is, and what the worker takes it for: `stored 3`. */
export const outcomes = (all: readonly Sequenced[]): string[] =>
  all.map((each) => (each.outcome === 'stale' ? each.outcome : `${each.outcome} ${each.entry.offset}`));
