import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Usage } from '../../infra/local/meter/meter.ts';
import type { Runtime } from '../../infra/local/runtime.ts';

import { bootLocal } from '../support/local.ts';
import { Sha256 } from '../support/posting-endpoint.ts';

/** Secrets of a CDK app, over the port and with IAM. */

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-vault-'));
const lines: string[] = [];
let local: Runtime;

const boot = async () => {
  const log = (source: string, line: string) => void lines.push(`${source} ${line}`);
  local = await bootLocal({ app: 'test/apps/vault.ts', dataDir, log });
};
beforeAll(boot);
afterEach(() => expect(lines.splice(0)).toEqual([]));
afterAll(async () => {
  await local?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const roleNamed = (name: string): Credentials =>
  local.assumeRole(`arn:aws:iam::000000000000:role/${name}`, 'test');

// biome-ignore lint/suspicious/noExplicitAny: a test knows what it looks at, and fails if it is not there
async function call(operation: string, input: object, credentials?: Credentials): Promise<any> {
  const { endpoint, region, ...root } = local.ready;
  const { hostname, port, host } = new URL(endpoint);
  const signer = new SignatureV4({
    ...{ service: 'secretsmanager', region, sha256: Sha256 },
    credentials: credentials ?? root,
  });
  const body = JSON.stringify(input);
  const { headers } = await signer.sign({
    ...{ method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {}, body },
    headers: {
      host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `secretsmanager.${operation}`,
    },
  });
  const response = await fetch(endpoint, { method: 'POST', headers, body });
  return { status: response.status, ...((await response.json()) as object) };
}

it('are made as the CDK asks for them, and are in no log and no answer but their own', async () => {
  const { secrets } = local.ready;
  expect(Object.keys(secrets)).toEqual(['plain', 'signing']);
  const signing = await call('GetSecretValue', { SecretId: secrets.signing });
  expect(signing).toMatchObject({
    status: 200,
    Name: 'vault/signing',
    ARN: secrets.signing,
    SecretString: expect.stringMatching(/^[a-zA-Z\d]{64}$/),
  });
  expect(await call('GetSecretValue', { SecretId: secrets.plain })).toMatchObject({
    SecretString: expect.stringMatching(/^[!-~]{32}$/),
  });
  for (const path of ['health', 'usage']) {
    const answer = await (await fetch(`${local.ready.endpoint}/_fanwire/${path}`)).text();
    expect(answer).not.toContain(signing.SecretString);
  }
});

it('are read by who has the right to, and by nobody else', async () => {
  const { signing, plain } = local.ready.secrets;
  const [reader, stranger] = [roleNamed('reader'), roleNamed('stranger')];
  for (const SecretId of [signing, 'vault/signing']) {
    expect(await call('GetSecretValue', { SecretId }, reader)).toMatchObject({ status: 200 });
    expect(await call('GetSecretValue', { SecretId }, stranger)).toEqual({
      status: 400,
      __type: 'AccessDeniedException',
      Message:
        'User: arn:aws:sts::000000000000:assumed-role/stranger/test is not authorized to perform: ' +
        `secretsmanager:GetSecretValue on resource: ${signing} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
    });
  }
  const denied = { status: 400, __type: 'AccessDeniedException' };
  expect(await call('GetSecretValue', { SecretId: plain }, reader)).toMatchObject(denied);
  const put = { SecretId: signing, SecretString: 'mine' };
  expect(await call('PutSecretValue', put, reader)).toMatchObject(denied);
  const unsigned = await fetch(local.ready.endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': 'secretsmanager.GetSecretValue' },
    body: JSON.stringify({ SecretId: signing }),
  });
  expect([unsigned.status, await unsigned.json()]).toEqual([
    400,
    { __type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' },
  ]);
});

it('can be rotated, survive a restart, and are counted', async () => {
  const { signing } = local.ready.secrets;
  const before = await call('GetSecretValue', { SecretId: signing });
  await call('PutSecretValue', { SecretId: signing, SecretString: 'rotated' });
  await local.stop();
  await boot();
  expect(local.ready.secrets.signing).toBe(signing);
  expect(await call('GetSecretValue', { SecretId: signing })).toMatchObject({ SecretString: 'rotated' });
  const previous = await call('GetSecretValue', { SecretId: signing, VersionStage: 'AWSPREVIOUS' });
  expect(previous.SecretString).toBe(before.SecretString);
  const usage = (await (await fetch(`${local.ready.endpoint}/_fanwire/usage`)).json()) as Usage;
  expect(usage.secrets).toEqual({ plain: { requests: 0 }, signing: { requests: 2 } });
  expect(readFileSync(join(dataDir, 'secrets.json'), 'utf8')).toContain('rotated');
});
