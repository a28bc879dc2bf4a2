import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { bundleClient } from '../../infra/web/bundle.ts';
import type { Client as Sdk } from '../../shared/client/index.ts';
import { DEMO_APP } from '../support/apps.ts';
import { Client } from '../support/client.ts';
import { FakeIssuer, signingKey } from '../support/issuer.ts';
import { bootLocal, type TemplateResources } from '../support/local.ts';
import { Examples, readmeBlock, readmeBlocks } from '../support/readme.ts';
import { until } from '../support/until.ts';
import { Wscat } from '../support/wscat.ts';

/** What README.md shows is what runs here: each example is read from there. */

const examples = new Examples();
const { directory } = examples;
const PARTS = ['cognito', 'grants', 'back-end', 'client'] as const;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});
afterAll(() => examples.remove());

/** An example whose first line is its name. */
const named = (name: (typeof PARTS)[number]): string => readmeBlock(`// ${name}.ts\n`);

async function start(...args: Parameters<typeof bootLocal>): Promise<Runtime> {
  const local = await bootLocal(...args);
  ends.push(() => local.stop());
  return local;
}

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}

const commandsOf = (client: Client, ...commands: object[]) =>
  Promise.all(commands.map(async (command) => (await client.ask(command)).type));

describe('the ten lines', () => {
  beforeAll(async () => {
    for (const name of PARTS) examples.add(`${name}.ts`, named(name));
    await examples.check();
  });

  it('are not many more', () => {
    for (const name of PARTS) {
      const lines = named(name)
        .split('\n')
        .filter((line) => !/^(import .*|\/\/.*|)$/.test(line));
      expect([name, lines.length <= 10]).toEqual([name, true]);
    }
  });

  it('put Cognito in front of it', async () => {
    const key = signingKey('key', 'RS256');
    const issuer = new FakeIssuer(key);
    const url = await serve(async (request, response) => {
      response.end(await (await issuer.fetch(String(request.url))).text());
    });
    issuer.configuration = { issuer: url, jwks_uri: `${url}/keys` };
    const { ready } = await start({
      app: join(directory, 'cognito.ts'),
      edit: (resources) => replacePool(resources, { url, clientId: 'web' }),
    });
    const nowSeconds = Math.floor(Date.now() / 1000);
    // As Cognito's ID tokens are.
    const claims = { iss: url, aud: 'web', token_use: 'id', iat: nowSeconds, exp: nowSeconds + 3_600 };
    const open = (more: object) =>
      Client.open(ready.websocketUrl, ['fanwire', `bearer.${key.sign({ ...claims, ...more })}`]);
    const ada = await open({ sub: '1a2b', 'cognito:username': 'ada' });
    const found = await commandsOf(
      ada,
      { action: 'subscribe', topic: 'chat/*' },
      { action: 'subscribe', topic: 'inbox/1a2b/*' },
      { action: 'subscribe', topic: 'inbox/3c4d/*' },
    );
    expect(found).toEqual(['ack', 'ack', 'error']);
    await ada.ask({ action: 'publish', topic: 'chat/lobby', data: 1 });
    expect(await ada.message(1)).toMatchObject({ publisher: { userId: '1a2b' } });
    await ada.close();
    // An access token has no audience; and nobody comes without a token.
    await expect(open({ sub: 'ada', aud: undefined, token_use: 'access' })).rejects.toThrow('401');
    await expect(Client.open(ready.websocketUrl)).rejects.toThrow('401');
  });

  it("take one's own grants", async () => {
    const { ready } = await start({ app: join(directory, 'grants.ts') });
    const [GRANTS_SECRET = ''] = Object.values(ready.secrets);
    const tokenFor = await backEndWith({
      AWS_ENDPOINT_URL: ready.endpoint,
      AWS_REGION: ready.region,
      AWS_ACCESS_KEY_ID: ready.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ready.secretAccessKey,
      GRANTS_SECRET,
      CALLBACK_URL: ready.websocketUrl.replace(/^ws/, 'http'),
    });
    const backEnd = await serve(async (_, response) => response.end(await tokenFor('ada')));
    const file = examples.add(
      'client-here.ts',
      named('client')
        .replace('wss://push.example.com', ready.websocketUrl)
        .replace('https://shop.example.com', backEnd),
    );
    const { client } = (await import(file)) as { client: Sdk };
    client.on('error', () => {}); // of the subscription that is refused
    ends.push(() => client.close());
    const subscription = client.subscribe('team/*');
    await subscription.ready;
    await client.publish('team/plans', 'ours');
    for await (const { data, publisher } of subscription) {
      expect([data, publisher]).toEqual(['ours', { userId: 'ada' }]);
      break;
    }
    await expect(client.subscribe('other/*', { onMessage() {} }).ready).rejects.toThrow('expected a right');
    const person = await Wscat.connect(ready.websocketUrl, 'fanwire', `bearer.${await tokenFor('bob')}`);
    person.type({ action: 'whoami' });
    await person.sees('"userId":"bob"');
    await person.quit();
    await expect(Client.open(ready.websocketUrl)).rejects.toThrow('401');
  });

  /** A process of its own, whose environment is the back end's. */
  async function backEndWith(env: NodeJS.ProcessEnv): Promise<(userId: string) => Promise<string>> {
    const text = `import { tokenFor } from './back-end.ts';
      process.on('message', async (userId) => process.send?.(await tokenFor(String(userId))));`;
    const child = spawn(process.execPath, [examples.add('back-end-process.ts', text)], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    ends.push(() => child.kill());
    let asked: Promise<unknown> = Promise.resolve();
    return (userId) => {
      const answer = asked.then(async () => {
        const answered = once(child, 'message');
        child.send(userId);
        const [token] = await answered;
        return String(token);
      });
      asked = answer;
      return answer;
    };
  }
});

/** What a deployment would know of the pool, of which there is none here. */
function replacePool(
  resources: TemplateResources,
  { url, clientId }: { url: string; clientId: string },
): void {
  const values = new Map<string, string>();
  for (const [id, { Type }] of Object.entries(resources)) {
    if (Type === 'AWS::Cognito::UserPool')
      values.set(JSON.stringify({ 'Fn::GetAtt': [id, 'ProviderURL'] }), url);
    if (Type === 'AWS::Cognito::UserPoolClient') values.set(JSON.stringify({ Ref: id }), clientId);
    if (Type.startsWith('AWS::Cognito::')) delete resources[id];
  }
  expect(values.size).toBe(2);
  const replace = (value: unknown): unknown => {
    const known = values.get(JSON.stringify(value));
    if (known !== undefined || typeof value !== 'object' || value === null) return known ?? value;
    if (Array.isArray(value)) return value.map(replace);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replace(each)]));
  };
  for (const resource of Object.values(resources)) {
    resource.Properties = replace(resource.Properties) as typeof resource.Properties; // of the same shape
  }
}

describe('the five minutes', () => {
  let local: Runtime;
  beforeAll(async () => {
    local = await bootLocal({ app: DEMO_APP });
    examples.add('fanwire.js', await bundleClient());
    writeFileSync(join(directory, 'ready.json'), JSON.stringify(local.ready));
  });
  afterAll(() => local.stop());
  const here = (text: string): string =>
    text.replaceAll('ws://localhost:4566/prod', local.ready.websocketUrl);

  /** Runs an example in its folder. */
  function run(name: string, text: string) {
    const child = spawn(process.execPath, [examples.add(name, here(text))], { cwd: directory });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    ends.push(() => child.kill());
    return { ended: once(child, 'exit'), output: () => output };
  }

  it('in a terminal', async () => {
    const [command, ...frames] = readmeBlock('npx wscat -c ws://localhost').trim().split('\n');
    const person = await Wscat.connect(here(String(command).replace('npx wscat -c ', '')));
    for (const frame of frames) {
      person.type(JSON.parse(frame));
      await person.sees(
        `"type":"ack"${frame.includes('"id"') ? `,"id":"${JSON.parse(frame).id}"` : ',"action":"whoami"'}`,
      );
    }
    await person.sees('"data":{"text":"hello"}');
    await person.quit();
  });

  it('in a program, to which a back end pushes', async () => {
    const program = readmeBlock("client.subscribe('chat/lobby', { rewind: 10 })");
    const reader = run('reader.mjs', program.replace('./dist/fanwire.js', './fanwire.js'));
    const writer = run('writer.mjs', readmeBlock("readFileSync('ready.json'"));
    expect([await writer.ended, writer.output()]).toEqual([[0, null], '']);
    await until(() => reader.output().includes('hello from a back end'));
  });

  it('names no topic that the demo refuses', () => {
    const started = readmeBlocks.slice(
      0,
      readmeBlocks.findIndex((text) => text.includes('new Fanwire(')),
    );
    const topics = started.flatMap((text) => [...text.matchAll(/topic"?: ?['"]([^'"]+)/g)]);
    expect(topics.length).toBeGreaterThan(2);
    for (const [, topic] of topics) expect(topic).toMatch(/^chat\//);
  });
});
