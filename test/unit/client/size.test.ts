import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { refusalOf } from '../../support/refusal.ts';

const GZIPPED_BYTES_MAX = 14_000;
const ENTRY = join(import.meta.dirname, '../../../shared/client/index.ts');

const directory = mkdtempSync(join(tmpdir(), 'fanwire-client-'));
const file = join(directory, 'fanwire.mjs');
let bundle: Uint8Array;

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral', // anything of Node's would be an error
    write: false,
  });
  bundle = outputFiles[0]?.contents ?? new Uint8Array();
  writeFileSync(file, bundle);
});

afterAll(() => rmSync(directory, { recursive: true }));

it('is one file of 13.6 KB or so', () => {
  const { length } = gzipSync(bundle, { level: 9 });
  console.log(`client SDK: ${length} bytes gzipped, ${bundle.length} minified`);
  expect(length).toBeGreaterThan(1000);
  expect(length).toBeLessThan(GZIPPED_BYTES_MAX);
});

it('leaves the parsers of the server out', () => {
  expect(new TextDecoder().decode(bundle)).not.toMatch(/to be an array|joined by/);
});

/** Answers subscribes, and tells whoever subscribes of the topic. */
async function serve(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', (text) => {
      const refusal = refusalOf(String(text));
      if (refusal) throw refusal;
      const { id, action, topic } = JSON.parse(String(text));
      const message = {
        type: 'message',
        topic,
        messageId: 'm',
        publishedAt: '2026-01-01T00:00:00Z',
        publisher: {},
        data: 'hi',
      };
      socket.send(JSON.stringify({ type: 'ack', id, action, topic }));
      socket.send(JSON.stringify(message));
    });
  });
  await once(server, 'listening');
  return server;
}

it('runs in plain Node, with the platform’s own WebSocket, timers and ids, and a token', async () => {
  const server = await serve();
  const { port } = server.address() as AddressInfo;
  const offered: unknown[] = [];
  server.on('connection', (_, { headers }) => offered.push(headers['sec-websocket-protocol']));
  const script = `
    const { connect, FanwireError } = await import(${JSON.stringify(file)});
    const client = connect({ url: 'ws://127.0.0.1:${port}', token: () => 'a.b.c' });
    for await (const { data } of client.subscribe('live/a')) {
      console.log(data, client.state, typeof FanwireError);
      break;
    }
    client.close();`;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toBe('hi connected function\n');
    expect(offered.map((it) => String(it).split(/, ?/))).toEqual([['fanwire', 'bearer.a.b.c']]);
  } finally {
    server.close();
  }
});
