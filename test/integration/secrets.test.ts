import { randomInt, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SecretDefinition } from '../../infra/local/secretsmanager/resources.ts';
import { Secrets } from '../../infra/local/secretsmanager/secrets.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Served, serve } from '../support/serve.ts';

const ACCOUNT = { region: 'eu-west-1', accountId: '000000000000' };
const NAME = 'app/signing';
const FULL_ARN = /^arn:aws:secretsmanager:eu-west-1:000000000000:secret:app\/signing-[0-9a-z]{6}$/;
const NOW_SECONDS = Date.UTC(2024, 0, 20, 11, 55, 8) / 1000;
const generated: SecretDefinition = {
  name: NAME,
  description: 'Signs grants',
  origin: { GenerateSecretString: { PasswordLength: 48, ExcludePunctuation: true } },
};
const given = (SecretString: string): SecretDefinition => ({ name: NAME, origin: { SecretString } });

// biome-ignore lint/suspicious/noExplicitAny: a test knows what it looks at, and fails if it is not there
type Answer = any;

let dataDir: string;
let clock: ManualClock;
let running: Served[];
let called: string[];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'fanwire-secrets-'));
  clock = new ManualClock();
  running = [];
  called = [];
});
afterEach(async () => {
  for (const served of running) await served.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** An engine, as each start of the system has one. */
async function start(...definitions: readonly SecretDefinition[]) {
  const meter = { called: (name: string) => void called.push(name) };
  const secrets = new Secrets({ ...ACCOUNT, dataDir, clock, randomInt, meter }, definitions);
  const served = await serve(secrets);
  running.push(served);
  const send = async (operation: string, body: string): Promise<{ status: number; answer: Answer }> => {
    const response = await fetch(served.client.endpoint, {
      method: 'POST',
      headers: {
        'x-amz-target': `secretsmanager.${operation}`,
        'content-type': 'application/x-amz-json-1.1',
      },
      body,
    });
    expect(response.headers.get('content-type')).toBe('application/x-amz-json-1.1');
    return { status: response.status, answer: await response.json() };
  };
  const call = async (operation: string, input: object = {}): Promise<Answer> => {
    const { status, answer } = await send(operation, JSON.stringify({ SecretId: NAME, ...input }));
    if (status !== 200) throw new Error(`${status} ${answer.__type}: ${answer.Message}`);
    return answer;
  };
  return { call, send, get: (input?: object) => call('GetSecretValue', input) };
}

describe('a secret of a template', () => {
  it('is generated once, and there under its name, its ARN, and its ARN without the end', async () => {
    const { get, call } = await start(generated);
    const secret = await get();
    expect(secret).toEqual({
      ARN: expect.stringMatching(FULL_ARN),
      Name: NAME,
      VersionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      SecretString: expect.stringMatching(/^[a-zA-Z\d]{48}$/),
      VersionStages: ['AWSCURRENT'],
      CreatedDate: NOW_SECONDS,
    });
    for (const SecretId of [secret.ARN, secret.ARN.slice(0, -7)]) {
      expect(await get({ SecretId })).toEqual(secret);
    }
    expect(await call('DescribeSecret')).toEqual({
      ARN: secret.ARN,
      Name: NAME,
      Description: 'Signs grants',
      CreatedDate: NOW_SECONDS,
      LastChangedDate: NOW_SECONDS,
      VersionIdsToStages: { [secret.VersionId]: ['AWSCURRENT'] },
    });
  });

  it('survives a restart, and so does what was put since', async () => {
    const first = await start(generated);
    const before = await first.get();
    expect(await (await start(generated)).get()).toEqual(before);
    clock.advance(1_500);
    await first.call('PutSecretValue', { SecretString: 'rotated' });
    const later = await start(generated);
    expect(await later.get()).toMatchObject({ SecretString: 'rotated', CreatedDate: NOW_SECONDS + 1.5 });
    const previous = await later.get({ VersionStage: 'AWSPREVIOUS' });
    expect(previous).toEqual({ ...before, VersionStages: ['AWSPREVIOUS'] });
  });

  it('gets the new value when the template has another one, and none while it is the same', async () => {
    const first = await start(given('one'));
    await first.call('PutSecretValue', { SecretString: 'by hand' });
    expect(await (await start(given('one'))).get()).toMatchObject({ SecretString: 'by hand' });
    const changed = await start(given('two'));
    expect(await changed.get()).toMatchObject({ SecretString: 'two' });
    expect(await changed.get({ VersionStage: 'AWSPREVIOUS' })).toMatchObject({ SecretString: 'by hand' });
  });

  it('that another template lacks is there again with the one that has it', async () => {
    const before = await (await start(generated)).get();
    const other = await start({ name: 'other', origin: {} });
    await expect(other.get()).rejects.toThrow('ResourceNotFoundException');
    expect(await (await start(generated)).get()).toEqual(before);
  });

  it('may have no value until there is one', async () => {
    const { get, call } = await start({ name: NAME, origin: {} });
    await expect(get()).rejects.toThrow(
      "400 ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    );
    expect(await call('DescribeSecret')).toMatchObject({ VersionIdsToStages: {} });
    const { VersionStages } = await call('PutSecretValue', {
      SecretBinary: 'AAEC',
      VersionStages: ['AWSPENDING'],
    });
    expect(VersionStages).toEqual(['AWSPENDING', 'AWSCURRENT']);
    expect(await get()).toMatchObject({ SecretBinary: 'AAEC' });
  });

  it.each<[SecretDefinition['origin'], string]>([
    [
      { SecretString: 'x', GenerateSecretString: {} },
      'expected SecretString or GenerateSecretString, got both',
    ],
    [{ GenerateSecretString: { PasswordLength: 1 } }, 'expected PasswordLength to be from 4 to 4096, got 1'],
  ])('stops the start if it cannot be made', async (origin, message) => {
    await expect(start({ name: NAME, origin })).rejects.toThrow(`secret ${NAME}: ${message}`);
  });
});

describe('PutSecretValue', () => {
  it('moves the labels, and does nothing the second time with the same token', async () => {
    const { get, call } = await start(given('one'));
    const ClientRequestToken = randomUUID();
    const put = { SecretString: 'two', ClientRequestToken };
    const answer = await call('PutSecretValue', put);
    expect(answer).toEqual({
      ARN: expect.stringMatching(FULL_ARN),
      Name: NAME,
      VersionId: ClientRequestToken,
      VersionStages: ['AWSCURRENT'],
    });
    expect(await call('PutSecretValue', put)).toEqual(answer);
    expect(await get({ VersionStage: 'AWSPREVIOUS' })).toMatchObject({ SecretString: 'one' });
    await expect(call('PutSecretValue', { ...put, SecretString: 'three' })).rejects.toThrow(
      '400 ResourceExistsException',
    );
    expect(await get({ VersionId: ClientRequestToken })).toMatchObject({ SecretString: 'two' });
  });

  it('is not done at all if it cannot be kept', async () => {
    const { get, send } = await start(given('one'));
    // Not by rights: root may write everything.
    mkdirSync(join(dataDir, 'secrets.json.part'));
    const body = JSON.stringify({ SecretId: NAME, SecretString: 'two' });
    await expect(send('PutSecretValue', body)).rejects.toThrow();
    expect(await get()).toMatchObject({ SecretString: 'one' });
  });

  it('takes 64 KB, and no more', async () => {
    const { call } = await start(given('one'));
    const put = (value: object) => call('PutSecretValue', value);
    await put({ SecretString: 'é'.repeat(32_768) });
    await put({ SecretBinary: Buffer.alloc(65_536).toString('base64') });
    await expect(put({ SecretString: `${'é'.repeat(32_768)}x` })).rejects.toThrow(
      'InvalidParameterException',
    );
    await expect(put({ SecretBinary: Buffer.alloc(65_537).toString('base64') })).rejects.toThrow(
      'InvalidParameterException',
    );
  });
});

describe('what is wrong', () => {
  const longValue = 'x'.repeat(65_537);

  it.each<[operation: string, input: object, type: string, message: string]>([
    ['GetSecretValue', { SecretId: 'none' }, 'ResourceNotFoundException', "can't find the specified secret."],
    ['GetSecretValue', { SecretId: undefined }, 'ValidationException', "Value null at 'secretId'"],
    ['GetSecretValue', { SecretId: '' }, 'ValidationException', 'secretId'],
    ['GetSecretValue', { SecretId: 7 }, 'ValidationException', 'secretId'],
    [
      'GetSecretValue',
      { VersionStage: 'AWSPREVIOUS' },
      'ResourceNotFoundException',
      'staging label: AWSPREVIOUS',
    ],
    ['GetSecretValue', { VersionId: 'nope' }, 'ResourceNotFoundException', 'for VersionId: nope'],
    ['GetSecretValue', { VersionStage: 7 }, 'InvalidParameterException', 'VersionStage'],
    [
      'PutSecretValue',
      {},
      'InvalidRequestException',
      'You must provide either SecretString or SecretBinary.',
    ],
    [
      'PutSecretValue',
      { SecretString: 's3cret', SecretBinary: 'AA' },
      'InvalidParameterException',
      'both a binary',
    ],
    ['PutSecretValue', { SecretString: ['s3cret'] }, 'InvalidParameterException', 'to be a text'],
    ['PutSecretValue', { SecretString: '' }, 'InvalidParameterException', 'got 0'],
    ['PutSecretValue', { SecretString: longValue }, 'InvalidParameterException', 'got 65537'],
    [
      'PutSecretValue',
      { SecretString: 's3cret', ClientRequestToken: 'short' },
      'InvalidParameterException',
      '32-64',
    ],
    [
      'PutSecretValue',
      { SecretString: 's3cret', VersionStages: [] },
      'InvalidParameterException',
      'VersionStages',
    ],
    [
      'PutSecretValue',
      { SecretString: 's3cret', VersionStages: ['a', 7] },
      'InvalidParameterException',
      'VersionStages',
    ],
  ])('%s %j is told as AWS does, and nothing of a value', async (operation, input, type, message) => {
    const { send } = await start(given('one'));
    const { status, answer } = await send(operation, JSON.stringify({ SecretId: NAME, ...input }));
    expect([status, answer.__type]).toEqual([400, type]);
    expect(answer.Message).toContain(message);
    expect(JSON.stringify(answer)).not.toContain('s3cret');
    expect(JSON.stringify(answer).length).toBeLessThan(300);
  });

  it('is a version that has not the label that is asked for', async () => {
    const { get } = await start(given('one'));
    const { VersionId } = await get();
    expect(await get({ VersionId, VersionStage: 'AWSCURRENT' })).toMatchObject({ SecretString: 'one' });
    await expect(get({ VersionId, VersionStage: 'AWSPENDING' })).rejects.toThrow('InvalidRequestException');
  });

  it.each(['ListSecrets', 'constructor', 'toString', ''])(
    'is an operation that is not there: %j',
    async (name) => {
      const { send } = await start(given('one'));
      const { status, answer } = await send(name, '{}');
      expect([status, answer.__type]).toEqual([400, 'com.amazon.coral.service#UnknownOperationException']);
    },
  );

  it.each(['', '[]', '{', 'null'])('is a body that is no object: %j', async (body) => {
    const { send } = await start(given('one'));
    expect((await send('GetSecretValue', body)).status).toBe(400);
  });
});

it('is counted, call by call', async () => {
  const { get, call } = await start(given('one'));
  await get();
  await call('PutSecretValue', { SecretString: 'two' });
  await expect(get({ SecretId: 'none' })).rejects.toThrow();
  expect(called).toEqual([NAME, NAME]);
});

describe('the file of secrets', () => {
  const file = () => join(dataDir, 'secrets.json');

  it('is for its owner’s eyes, also after a change', async () => {
    const { call } = await start(generated);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    chmodSync(file(), 0o644);
    await call('PutSecretValue', { SecretString: 'two' });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('is not made where there are none', async () => {
    await start();
    expect(() => readFileSync(file())).toThrow('ENOENT');
  });

  it.each([
    '',
    'null',
    '[]',
    '{"a":1}',
    '{"app/signing":{"versions":[{"value":{"SecretString":"s3cret"}}]}}',
  ])('that is damaged is told of, and nothing of it shown: %j', async (text) => {
    writeFileSync(file(), text);
    const error: Error = await start(generated).then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error.message).toBe(
      `expected secrets in ${file()}, got something else: remove that file to get new ones`,
    );
  });

  it('may not be a directory', async () => {
    mkdirSync(file());
    await expect(start(generated)).rejects.toThrow(`expected ${file()} to be a file, got a directory`);
  });
});
