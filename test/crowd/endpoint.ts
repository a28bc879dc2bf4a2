import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { type MessageFrame, type MessagesFrame, messagesIn } from '../../shared/protocol/acks.ts';
import { percentile } from '../bench/bench.ts';
import {
  type Conduct,
  type CrowdData,
  clockMs,
  conductOf,
  connectionOf,
  type Latency,
  type Question,
  type Report,
  type Span,
} from './conduct.ts';

/** An `@connections` endpoint in a thread of its own, with as many connections as are posted to. */
const { conduct, connections } = workerData as { readonly conduct: Conduct; readonly connections: number };

interface Taken {
  /** How often, by connection. */
  readonly times: Uint8Array;
  readonly lateMs: number[];
}
let taken = new Map<number, Taken>();
let arrivals: number[] = [];
const refusals = new Map<number, number>();

function answer(connection: number, body: string, response: ServerResponse): void {
  arrivals.push(performance.now());
  const how = conductOf(connection, conduct);
  if (how === 'hang') return;
  if (how === 'gone') return void response.writeHead(410, { 'x-amzn-errortype': 'GoneException' }).end();
  if (how === 'throttled' && isRefused(connection)) {
    return void response.writeHead(429, { 'x-amzn-errortype': 'LimitExceededException' }).end();
  }
  for (const message of messagesIn(JSON.parse(body) as MessageFrame | MessagesFrame)) {
    if ('data' in message) take(connection, message.data as CrowdData);
  }
  response.writeHead(200).end();
}

function isRefused(connection: number): boolean {
  const times = (refusals.get(connection) ?? 0) + 1;
  refusals.set(connection, times);
  return times <= conduct.throttledTimes;
}

function take(connection: number, { message, publishedAtMs }: CrowdData): void {
  let of = taken.get(message);
  if (!of) {
    of = { times: new Uint8Array(connections), lateMs: [] };
    taken.set(message, of);
  }
  of.times[connection] = Number(of.times[connection]) + 1;
  of.lateMs.push(clockMs() - publishedAtMs);
}

function report({ due }: Question): Report {
  const each = <T>(value: (of: Taken, message: number) => T): Record<number, T> =>
    Object.fromEntries([...taken].map(([message, of]) => [message, value(of, message)]));
  const count = ({ times }: Taken, isCounted: (times: number) => boolean) => times.filter(isCounted).length;
  return {
    posts: arrivals.length,
    reached: each((of) => count(of, (times) => times > 0)),
    missed: Object.fromEntries(
      Object.entries(due).map(([message, upTo]) => [message, missed(Number(message), upTo)]),
    ),
    twice: [...taken.values()].reduce((sum, of) => sum + count(of, (times) => times > 1), 0),
    p50Ms: each(({ lateMs }) => percentile(lateMs, 0.5)),
    p99Ms: each(({ lateMs }) => percentile(lateMs, 0.99)),
    lastMs: each(({ lateMs }) => percentile(lateMs, 1)),
    ...rates(arrivals),
  };
}

function latency({ from, to }: Span): Latency {
  const lateMs = [...taken].flatMap(([message, of]) => (message >= from && message <= to ? of.lateMs : []));
  return { p50Ms: percentile(lateMs, 0.5), p99Ms: percentile(lateMs, 0.99) };
}

function missed(message: number, upTo: number): number {
  const times = taken.get(message)?.times;
  let count = 0;
  for (let connection = 0; connection < upTo; connection++) {
    const never = ['gone', 'hang'].includes(conductOf(connection, conduct));
    if (!never && !times?.[connection]) count += 1;
  }
  return count;
}

function rates(times: readonly number[]): Pick<Report, 'busiestSecond' | 'meanPerSecond'> {
  let busiestSecond = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (Number(times[to]) - Number(times[from]) >= 1_000) from++;
    busiestSecond = Math.max(busiestSecond, to - from + 1);
  }
  const spanMs = Number(times.at(-1)) - Number(times[0]);
  return { busiestSecond, meanPerSecond: (1_000 * (times.length - 1)) / spanMs };
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    const id = decodeURIComponent(String(request.url).split('/').at(-1) ?? '');
    answer(connectionOf(id), body, response);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
parentPort?.on('message', (question: Question | Span | 'reset') => {
  if (question !== 'reset') {
    return void parentPort?.postMessage('due' in question ? report(question) : latency(question));
  }
  taken = new Map();
  arrivals = [];
  parentPort?.postMessage('reset');
});
