import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Clients } from '../load/clients.ts';
import { Ledger, percentilesOf, type Result } from '../load/ledger.ts';
import { isClean, reportOf } from '../load/report.ts';
import type { LoadSettings } from '../load/settings.ts';
import { refusalOf } from '../support/refusal.ts';

/** Three clients: 0 and 2 on one topic, 1 on the other. Message m is client m modulo 3's. */
const plan = { clients: 3, topics: 2, messages: 9 };
const NOTHING = { expected: 0, received: 0, lost: 0, duplicated: 0, outOfOrder: 0 };

const ledgerWith = (...subscribers: number[]): Ledger => {
  const ledger = new Ledger(plan);
  for (const client of subscribers) ledger.subscribed(client, 10);
  return ledger;
};

describe('the ledger', () => {
  it('expects an acknowledged message at every subscriber of its topic, the publisher included', () => {
    const ledger = ledgerWith(0, 1, 2);
    publish(ledger, 0, 20);
    expect(ledger.result()).toMatchObject({
      ...NOTHING,
      published: 1,
      acknowledged: 1,
      expected: 2,
      lost: 2,
    });
    ledger.received(0, 0, 30);
    ledger.received(2, 0, 30);
    expect(ledger.result()).toMatchObject({ ...NOTHING, expected: 2, received: 2 });
  });

  it('counts a message that arrives before its acknowledgement', () => {
    const ledger = ledgerWith(0);
    ledger.sent(0, 20);
    ledger.received(0, 0, 25);
    ledger.acknowledged(0, 30);
    expect(ledger.result()).toMatchObject({ ...NOTHING, expected: 1, received: 1 });
  });

  it('expects nothing from a message that was not acknowledged, or was sent before the subscription was', () => {
    const ledger = ledgerWith(0);
    ledger.sent(0, 20);
    publish(ledger, 3, 10);
    expect(ledger.result()).toMatchObject({ ...NOTHING, published: 2, acknowledged: 1 });
  });

  it('expects nothing for a client that left, whatever it got before', () => {
    const ledger = ledgerWith(0, 2);
    for (const message of [0, 2]) publish(ledger, message, 20);
    ledger.received(0, 0, 30);
    ledger.left(0);
    expect(ledger.result()).toMatchObject({ ...NOTHING, expected: 2, lost: 2 });
  });

  it('counts what comes again as a duplicate, and what comes late as out of order', () => {
    const ledger = ledgerWith(0);
    for (const message of [0, 3, 6]) publish(ledger, message, 20);
    for (const message of [3, 0, 6, 6]) ledger.received(0, message, 30);
    expect(ledger.result()).toMatchObject({
      ...NOTHING,
      expected: 3,
      received: 3,
      duplicated: 1,
      outOfOrder: 1,
    });
  });

  it('knows a message that its client cannot have been sent', () => {
    const ledger = ledgerWith(0, 1);
    publish(ledger, 0, 20);
    const verdicts = [0, 1, 3, 99, Number.NaN].map((message) => ledger.received(0, message, 30));
    expect(verdicts).toEqual([true, false, false, false, false]);
    expect(ledger.received(1, 0, 30)).toBe(false);
  });

  it('is complete as soon as everything that is due has arrived or its client has left', async () => {
    const ledger = ledgerWith(0, 2);
    publish(ledger, 0, 20);
    const seen: string[] = [];
    const complete = ledger.complete().then(() => seen.push('complete'));
    ledger.received(0, 0, 30);
    await Promise.resolve();
    seen.push('one left');
    ledger.left(2);
    await complete;
    expect(seen).toEqual(['one left', 'complete']);
  });

  it('takes percentiles by nearest rank', () => {
    const times = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect(percentilesOf(times)).toEqual({ p50: 100, p95: 190, p99: 198, max: 200 });
    expect(percentilesOf([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
    expect(percentilesOf([])).toBeUndefined();
  });

  function publish(ledger: Ledger, message: number, at: number): void {
    ledger.sent(message, at);
    ledger.acknowledged(message, at + 5);
  }
});

describe('the load clients', () => {
  let server: WebSocketServer;
  afterEach(() => server.close());

  it('find nothing wrong with a server that delivers each message once', async () => {
    const result = await loadServer({});
    expect(result).toMatchObject({ connected: 4, subscribed: 4, published: 40, acknowledged: 40 });
    expect(result).toMatchObject({ ...NOTHING, expected: 80, received: 80, errors: {} });
    expect(isClean(result)).toBe(true);
  });

  it('find every message that the server loses or repeats', async () => {
    const result = await loadServer({ copies: (delivery) => [0, 2, 1, 1][delivery % 4] ?? 1 });
    expect(result).toMatchObject({ expected: 80, received: 60, lost: 20, duplicated: 20, errors: {} });
    expect(isClean(result)).toBe(false);
  });

  it('expect nothing from what the server refuses, and count why', async () => {
    const result = await loadServer({ refuses: (publish) => publish % 10 === 0 });
    expect(result).toMatchObject({ published: 40, acknowledged: 36, expected: 72, received: 72, lost: 0 });
    expect(result.errors).toEqual({ unavailable: 4 });
    expect(isClean(result)).toBe(false);
  });

  it('go on without those whose connection drops', async () => {
    const result = await loadServer({ drops: (publish) => publish === 20 });
    expect(result).toMatchObject({ connected: 4, lost: 0, errors: { closed_1006: 1, dropped: 1 } });
    expect(result.acknowledged).toBeGreaterThan(20);
    expect(result.acknowledged).toBeLessThan(40);
    expect(result.received).toBe(result.expected);
  });

  it('end when there is nothing to connect to', async () => {
    await listen({});
    const settings = settingsFor(server);
    server.close();
    expect(await run(settings)).toMatchObject({ ...NOTHING, connected: 0, errors: { connect_failed: 4 } });
  });

  interface Faults {
    /** How often the n-th delivery is made. */
    readonly copies?: (delivery: number) => number;
    readonly refuses?: (publish: number) => boolean;
    /** Whether the n-th publish ends its connection. */
    readonly drops?: (publish: number) => boolean;
  }

  async function loadServer(faults: Faults): Promise<Result> {
    await listen(faults);
    return run(settingsFor(server));
  }

  /** Just enough of Fanwire, with faults. */
  async function listen({
    copies = () => 1,
    refuses = () => false,
    drops = () => false,
  }: Faults): Promise<void> {
    const subscribers = new Map<WebSocket, string>();
    let publishes = 0;
    let deliveries = 0;
    const deliver = (topic: string, frame: object) => {
      for (const [socket, subscribed] of subscribers) {
        if (subscribed !== topic) continue;
        for (let copy = copies(deliveries++); copy > 0; copy--) send(socket, { type: 'message', ...frame });
      }
    };
    const send = (socket: WebSocket, frame: object) => socket.send(JSON.stringify(frame));
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => {
      socket.on('close', () => subscribers.delete(socket));
      socket.on('message', (text) => {
        const refusal = refusalOf(String(text));
        if (refusal) throw refusal;
        const { action, id, topic, data } = JSON.parse(String(text));
        if (action === 'subscribe') subscribers.set(socket, topic);
        else if (drops(++publishes)) return socket.terminate();
        else if (refuses(publishes)) return send(socket, { type: 'error', id, code: 'unavailable' });
        else deliver(topic, { topic, data });
        send(socket, { type: 'ack', id, action });
      });
    });
    await once(server, 'listening');
  }
});

function settingsFor(server: WebSocketServer): LoadSettings {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const url = `ws://127.0.0.1:${port}`;
  return {
    url,
    namespace: 'load',
    runId: 'r1',
    clients: 4,
    topics: 2,
    rate: 400,
    durationSeconds: 0.1,
    sizeBytes: 300,
  };
}

/** As artillery does, in short: every client at once. */
async function run(settings: LoadSettings): Promise<Result> {
  const clients = new Clients(settings, 200);
  const results = await Promise.all(
    Array.from({ length: settings.clients }, (_, client) => clients.run(client)),
  );
  const [result] = results.filter((each) => each !== undefined);
  if (!result) throw new Error('expected the last client to answer with the result, got none');
  return result;
}

it('reports on one line each what was found', () => {
  const ledger = ledgerWith(0, 2);
  ledger.sent(0, 20);
  ledger.acknowledged(0, 21.5);
  ledger.received(0, 0, 22.25);
  ledger.failed('no_reply');
  const report = reportOf(ledger.result(), { clients: 3, rate: 9, durationSeconds: 1 });
  expect(report.split('\n').map((row) => row.trim().split(/ {2,}/))).toEqual([
    ['connected', '0 of 3'],
    ['subscribed', '2'],
    ['published', '1, of 9 planned'],
    ['acknowledged', '1'],
    ['expected deliveries', '2'],
    ['received', '1'],
    ['lost', '1'],
    ['duplicated', '0'],
    ['out of order', '0 (information only)'],
    ['errors', 'no_reply 1'],
    ['publish to acknowledge', 'p50 1.5', 'p95 1.5', 'p99 1.5', 'max 1.5', '(ms)'],
    ['publish to receive', 'p50 2.3', 'p95 2.3', 'p99 2.3', 'max 2.3', '(ms)'],
  ]);
});
