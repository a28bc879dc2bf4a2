import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_APP } from '../support/apps.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { CHROMIUM_RUNS_HERE, type Chromium, launchChromium } from './chromium.ts';

if (!CHROMIUM_RUNS_HERE) {
  const here = `${process.platform} ${process.arch}`;
  console.warn(
    `SKIPPED: the page is not tested, because @sparticuz/chromium is for linux x64, not for ${here}`,
  );
}

describe.runIf(CHROMIUM_RUNS_HERE)('the page', () => {
  let system: System;
  let chromium: Chromium;
  const pages: Page[] = [];
  const problems: string[] = [];

  beforeAll(async () => {
    chromium = await launchChromium();
    system = await startSystem({ app: DEMO_APP });
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
    expect(problems.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await chromium?.close();
    await system?.stop();
  });

  async function open(): Promise<Page> {
    const page = await chromium.browser.newPage();
    pages.push(page);
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (line) => line.type() === 'error' && problems.push(line.text()));
    await page.goto(system.ready.consoleUrl);
    return page;
  }

  /** A page whose person is connected and in the lobby. */
  async function enter(name: string): Promise<Page> {
    const page = await open();
    await fill(page, 'Name', name);
    await topicItem(page, 'chat/lobby', 'joined').waitFor();
    return page;
  }

  it('lets two people chat', async () => {
    const [ann, bob] = [await enter('ann'), await enter('Bob B. 🐝')];
    await fill(ann, 'Message', 'hello Bob');
    await line(bob, 'hello Bob').waitFor();
    await fill(bob, 'Message', 'hello Ann');
    await line(ann, 'hello Ann').waitFor();
    expect(await line(ann, 'hello Bob').textContent()).toMatch(/^\d.* chat\/lobby ann hello Bob$/);
    expect(await line(ann, 'hello Ann').textContent()).toMatch(/^\d.* chat\/lobby Bob B\. 🐝 hello Ann$/);
    expect(await ann.getByLabel('Message', { exact: true }).inputValue()).toBe('');
  });

  it('shows what others write as text', async () => {
    const ann = await enter('<b>ann</b>');
    await fill(ann, 'Message', '<img src="/x" onerror="throw 1">');
    await line(ann, '<img src="/x" onerror="throw 1">').waitFor();
    expect(await ann.getByRole('log').locator('img, b').count()).toBe(0);
  });

  it('gets nothing from a topic that was left', async () => {
    const [ann, bob] = [await enter('ann'), await enter('bob')];
    await join(bob, 'chat/garden');
    await bob.getByRole('button', { name: 'Leave chat/lobby' }).click();
    await topicItem(bob, 'chat/lobby').waitFor({ state: 'detached' });
    await fill(ann, 'Message', 'in the lobby');
    await line(ann, 'in the lobby').waitFor();
    await fill(ann, 'To', 'chat/garden', 'Tab');
    await fill(ann, 'Message', 'in the garden');
    await line(bob, 'in the garden').waitFor();
    expect(await line(bob, 'in the lobby').count()).toBe(0);
  });

  it('gets everything below a wildcard', async () => {
    const [ann, bob] = [await enter('ann'), await enter('bob')];
    await join(bob, 'chat/weather/*');
    await fill(ann, 'To', 'chat/weather/riga', 'Tab');
    await fill(ann, 'Message', 'snow');
    expect(await line(bob, 'snow').textContent()).toContain('chat/weather/riga ann snow');
  });

  it('shows why a command was refused, until the next one', async () => {
    const ann = await enter('ann');
    await fill(ann, 'Topic', 'no such topic!');
    await ann.getByRole('alert').getByText('expected a topic of 1 to 5 segments').waitFor();
    await topicItem(ann, 'no such topic!').waitFor({ state: 'detached' });
    await join(ann, 'chat/garden');
    await ann.getByRole('alert').waitFor({ state: 'hidden' });
  });

  it('says what its person may not do, and goes on', async () => {
    const ann = await enter('ann');
    await fill(ann, 'Topic', 'orders/42');
    await ann.getByRole('alert').getByText('expected a right to subscribe, got none').waitFor();
    await topicItem(ann, 'orders/42').waitFor({ state: 'detached' });
    await fill(ann, 'To', 'orders/42', 'Tab');
    await fill(ann, 'Message', 'a parcel');
    await ann.getByRole('alert').getByText('expected a right to publish, got none').waitFor();
    await fill(ann, 'To', 'chat/lobby', 'Tab');
    await fill(ann, 'Message', 'a word');
    await line(ann, 'a word').waitFor();
  });

  it('shows the words of somebody who gives no name', async () => {
    const ann = await enter('ann');
    const terminal = await Client.open(system.ready.websocketUrl);
    await terminal.ask({ action: 'publish', topic: 'chat/lobby', data: 'hello from a terminal' });
    await line(ann, 'hello from a terminal').waitFor();
    expect(await line(ann, 'hello from a terminal').textContent()).toContain('chat/lobby somebody hello');
    await terminal.close();
  });

  it('keeps a message that it could not send', async () => {
    const ann = await open();
    await fill(ann, 'Message', 'too early');
    await ann.getByRole('alert').getByText('expected a connection').waitFor();
    expect(await ann.getByLabel('Message', { exact: true }).inputValue()).toBe('too early');
  });

  it('connects again when the server drops it, and joins its topics again', async () => {
    const [ann, bob] = [await enter('ann'), await enter('bob')];
    await join(bob, 'chat/garden');
    const dropped = await connectionId(bob);
    await management().send(new DeleteConnectionCommand({ ConnectionId: dropped }));
    await bob.waitForFunction(
      (id) => ![id, ''].includes(document.getElementById('connection-id')?.textContent ?? ''),
      dropped,
    );
    await topicItem(bob, 'chat/garden', 'joined').waitFor();
    await topicItem(bob, 'chat/lobby', 'joined').waitFor();
    await fill(ann, 'Message', 'are you back?');
    await line(bob, 'are you back?').waitFor();
  });

  it('shows what somebody posted to its connection by hand', async () => {
    const ann = await enter('ann');
    await ann.locator('#connection-id:not(:empty)').waitFor();
    await management().send(
      new PostToConnectionCommand({
        ConnectionId: await connectionId(ann),
        Data: 'hello from the command line',
      }),
    );
    await line(ann, 'hello from the command line').waitFor();
  });

  it('stays away once its person disconnects', async () => {
    const ann = await enter('ann');
    await ann.getByRole('button', { name: 'Disconnect' }).click();
    await ann.getByRole('status').getByText('Disconnected').waitFor();
    expect(await connectionId(ann)).toBe('');
    await topicItem(ann, 'chat/lobby', 'joining').waitFor();
    await ann.getByRole('button', { name: 'Connect' }).click();
    await topicItem(ann, 'chat/lobby', 'joined').waitFor();
  });

  describe('of somebody else', () => {
    const server = createServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<p>'),
    );
    beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
    afterAll(() => server.close());

    it.each([
      ['localhost', 'connected'],
      ['evil.example', 'refused'],
    ])('is %s, %s', async (host, outcome) => {
      const { port } = server.address() as AddressInfo; // it listens on TCP
      const [page, errors] = await visit(`http://${host}:${port}/`);
      const reached = await page.evaluate(
        (url) =>
          new Promise<string>((resolve) => {
            const socket = new WebSocket(url);
            socket.onopen = () => resolve('connected');
            socket.onerror = () => resolve('refused');
          }),
        system.ready.websocketUrl,
      );
      expect(reached).toBe(outcome);
      const refusals = errors.filter((text) => text.includes('Unexpected response code: 403'));
      expect(refusals).toHaveLength(outcome === 'refused' ? 1 : 0);
    });

    it('is not served by a name of its own that leads here', async () => {
      const [page] = await visit(`http://evil.example:${new URL(system.ready.endpoint).port}/`);
      expect(await page.textContent('body')).toContain('expected a Host of this machine');
    });

    async function visit(url: string): Promise<[Page, readonly string[]]> {
      const page = await chromium.browser.newPage();
      pages.push(page);
      const errors: string[] = [];
      page.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
      await page.goto(url);
      return [page, errors];
    }
  });

  function management(): ApiGatewayManagementApiClient {
    const { websocketUrl, region, accessKeyId, secretAccessKey } = system.ready;
    return new ApiGatewayManagementApiClient({
      endpoint: websocketUrl.replace(/^ws/, 'http'),
      region,
      credentials: { accessKeyId, secretAccessKey },
    });
  }
});

async function join(page: Page, topic: string): Promise<void> {
  await fill(page, 'Topic', topic);
  await topicItem(page, topic, 'joined').waitFor();
}

/** Everything can be done from the keyboard, so it is. */
async function fill(page: Page, label: string, text: string, key = 'Enter'): Promise<void> {
  const input = page.getByLabel(label, { exact: true });
  await input.fill(text);
  await input.press(key);
}

const line = (page: Page, text: string) => page.getByRole('log').locator('p', { hasText: text });

const topicItem = (page: Page, topic: string, state?: string) =>
  page.locator(state ? `#topics li[data-state="${state}"]` : '#topics li', { hasText: topic });

const connectionId = async (page: Page): Promise<string> =>
  (await page.locator('#connection-id').textContent()) ?? '';
