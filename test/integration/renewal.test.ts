import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GrantOptions } from '../../shared/auth/grants.ts';
import { Client } from '../support/client.ts';
import { type Granting, grantingFor } from '../support/granting.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const SECOND_MS = 1_000;
/** What is good for a minute, issued so long ago, is over with its grace 3 seconds from now. */
const ALMOST_OVER_MS = 87 * SECOND_MS;
const MINUTE = { expiresIn: 60 };

let system: System;
let granting: Granting;
/** Every token and grant of these tests. */
const secrets: string[] = [];

beforeAll(async () => {
  system = await startSystem({ app: 'test/apps/members.ts' });
  granting = await grantingFor(system.ready);
});
afterAll(() => system.stop());

const tokenFor: Granting['tokenFor'] = async (...whom) => {
  const token = await granting.tokenFor(...whom);
  secrets.push(token);
  return token;
};
const openAs = async (...whom: Parameters<Granting['tokenFor']>): Promise<Client> =>
  granting.openWith(await tokenFor(...whom));
const grantOf = (topic: string, rights: readonly string[], more: Partial<GrantOptions> = {}, atMs?: number) =>
  tokenFor('ada', { topic, rights, ...more } as Partial<GrantOptions>, atMs);
/** As soon as it may. */
const renew = async (client: Client, ...whom: Parameters<Granting['tokenFor']>) => {
  const token = await tokenFor(...whom);
  return until(async () => {
    const reply = await client.ask({ action: 'authenticate', token });
    return reply.code !== 'rate_limited' && reply;
  });
};

const numbersIn = ({ messages }: Client, topic: string): unknown[] =>
  messages.filter((message) => message.topic === topic).map(({ data }) => data);

describe('a connection with another token', () => {
  it('loses nothing on the way, and goes on when the first one is over', async () => {
    const issuedAtMs = Date.now() - ALMOST_OVER_MS;
    const overAtMs = issuedAtMs + 90 * SECOND_MS;
    const [ada, bob] = [await openAs('ada', MINUTE, issuedAtMs), await openAs('bob')];
    await ada.subscribe('chat/stream');
    let published = 0;
    const publish = async () => {
      published += 1;
      await bob.ask({ action: 'publish', topic: 'chat/stream', data: published });
    };
    await publish();
    const renewal = renew(ada, 'ada');
    while (Date.now() < overAtMs + SECOND_MS) await publish();
    expect(await renewal).toMatchObject({ type: 'ack', expiresAt: expect.stringMatching(/^20.*Z$/) });
    await ada.message(published);
    expect(numbersIn(ada, 'chat/stream')).toHaveLength(published);
    expect(new Set(numbersIn(ada, 'chat/stream')).size).toBe(published);
    for (const command of [
      { action: 'ping', positions: [{ topic: 'chat/stream', epoch: 'e', offset: 1 }] },
      { action: 'publish', topic: 'chat/stream', data: 0 },
      { action: 'history', topic: 'chat/stream' },
      { action: 'subscribe', topic: 'chat/other' },
      { action: 'send', to: { userId: 'ada' }, data: 'still here' },
    ]) {
      expect(await ada.ask(command)).toMatchObject({ type: 'ack' });
    }
    await ada.message('still here');
  }, 60_000);

  it('may do what that allows from then on', async () => {
    const ada = await openAs('ada');
    expect(await ada.ask({ action: 'subscribe', topic: 'team' })).toMatchObject({ code: 'forbidden' });
    const rights = { team: ['subscribe', 'publish'] } as const;
    expect(await renew(ada, 'ada', { rights })).toMatchObject({ type: 'ack' });
    await ada.subscribe('team');
    await ada.ask({ action: 'publish', topic: 'team', data: 'at last' });
    await ada.message('at last');
    // And loses what the next one does not allow.
    expect(await renew(ada, 'ada')).toMatchObject({ type: 'ack' });
    await until(async () => (await ada.ask({ action: 'ping' })).code === 'gone');
    expect(await ada.ask({ action: 'subscribe', topic: 'team' })).toMatchObject({ code: 'forbidden' });
  }, 30_000);

  it('is told when it may have the next', async () => {
    const [ada, token] = [await openAs('ada'), await tokenFor('ada')];
    expect(await renew(ada, 'ada')).toMatchObject({ type: 'ack' });
    const refusal = await ada.ask({ action: 'authenticate', token });
    expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
  });

  it('is still whose it was', async () => {
    const [ada, guest] = [await openAs('ada'), await Client.open(system.ready.websocketUrl)];
    await ada.subscribe('chat/kept');
    const over = await tokenFor('ada', MINUTE, Date.now() - 3_600 * SECOND_MS);
    const forged = `${(await tokenFor('ada')).slice(0, -8)}AAAAAAAA`;
    const refusals = [
      [await tokenFor('bob'), 'forbidden'],
      [over, 'expired'],
      [forged, 'unauthenticated'],
      ['no token', 'unauthenticated'],
      ['', 'bad_request'],
    ];
    for (const [token, code] of refusals) {
      expect(await ada.ask({ action: 'authenticate', token })).toMatchObject({ type: 'error', code });
    }
    await until(() => system.output().includes('token refused: expired'));
    await until(() => system.output().includes('token refused: signature'));
    expect(await renew(guest, 'ada')).toMatchObject({ code: 'forbidden' });
    expect(await ada.ask({ action: 'ping' })).toMatchObject({ type: 'ack' });
    expect(await ada.ask({ action: 'whoami' })).toMatchObject({ userId: 'ada' });
  });

  it('is left alone by a thousand tokens that are refused', async () => {
    const [ada, token] = [await openAs('ada'), await tokenFor('bob')];
    await ada.subscribe('chat/kept');
    const asked = Array.from({ length: 1_000 }, () => ada.ask({ action: 'authenticate', token }));
    for (const refusal of await Promise.all(asked)) expect(refusal).toMatchObject({ code: 'forbidden' });
    await ada.ask({ action: 'publish', topic: 'chat/kept', data: 'kept' });
    await ada.message('kept');
  }, 60_000);
});

describe('a grant for one topic', () => {
  it('lets its user subscribe to it, and ends the feed but not the socket', async () => {
    const [ada, bob] = [await openAs('ada'), await openAs('bob', { rights: { 'team/*': ['publish'] } })];
    const issuedAtMs = Date.now() - ALMOST_OVER_MS;
    const grant = await grantOf('team/plans', ['subscribe'], MINUTE, issuedAtMs);
    expect(await ada.ask({ action: 'subscribe', topic: 'team/plans', grant })).toMatchObject({
      expiresAt: new Date(Math.floor(issuedAtMs / SECOND_MS) * SECOND_MS + 60 * SECOND_MS).toISOString(),
    });
    await ada.subscribe('chat/marks');
    await bob.ask({ action: 'publish', topic: 'team/plans', data: 'in time' });
    await ada.message('in time');
    const { type } = await until(async () => {
      const reply = await ada.ask({ action: 'ping' });
      return reply.code === 'gone' && reply;
    });
    expect(type).toBe('error');
    await bob.ask({ action: 'publish', topic: 'team/plans', data: 'too late' });
    await bob.ask({ action: 'publish', topic: 'chat/marks', data: 'a mark' });
    await ada.message('a mark');
    expect(numbersIn(ada, 'team/plans')).toEqual(['in time']);
    // The next one brings it back.
    const next = await grantOf('team/plans', ['subscribe']);
    expect(await ada.ask({ action: 'subscribe', topic: 'team/plans', grant: next })).toMatchObject({
      type: 'ack',
    });
    await bob.ask({ action: 'publish', topic: 'team/plans', data: 'again' });
    await ada.message('again');
    expect(await ada.ask({ action: 'ping' })).toMatchObject({ type: 'ack' });
  }, 60_000);

  it('is for its topic alone, unless it ends in a wildcard', async () => {
    const ada = await openAs('ada');
    const [one, all] = [await grantOf('team', ['subscribe']), await grantOf('team/*', ['subscribe'])];
    const ask = (topic: string, grant: string) => ada.ask({ action: 'subscribe', topic, grant });
    for (const topic of ['team/private', 'team/*', 'teams', 'chat/lobby']) {
      expect(await ask(topic, one)).toMatchObject({ code: 'forbidden' });
    }
    for (const topic of ['team', 'team/private', 'team/*', 'team/a/*']) {
      expect(await ask(topic, all)).toMatchObject({ type: 'ack', topic });
    }
    const bob = await openAs('bob');
    expect(await bob.ask({ action: 'subscribe', topic: 'team', grant: one })).toMatchObject({
      code: 'forbidden',
    });
    expect(await ask('team', 'no.grant.')).toMatchObject({ code: 'unauthenticated' });
  });

  it('is the only right to read a namespace that requires it', async () => {
    const [ada, bob] = [
      await openAs('ada', { rights: { '*': ['subscribe', 'history'] } }),
      await openAs('bob'),
    ];
    for (const command of [
      { action: 'subscribe', topic: 'secret/a' },
      { action: 'subscribe', topic: 'secret/*' },
      { action: 'history', topic: 'secret/a' },
      { action: 'ping', positions: [{ topic: 'secret/a', epoch: 'e', offset: 1 }] },
    ]) {
      expect(await ada.ask(command)).toMatchObject({ code: 'forbidden' });
    }
    const grant = await grantOf('secret/a', ['subscribe', 'history']);
    expect(await ada.ask({ action: 'subscribe', topic: 'secret/a', grant })).toMatchObject({ type: 'ack' });
    await bob.ask({ action: 'publish', topic: 'secret/a', data: 'psst' });
    const { epoch } = await ada.message('psst');
    const positions = [{ topic: 'secret/a', epoch, offset: 0 }];
    expect(await ada.ask({ action: 'ping', positions })).toMatchObject({ behind: [{ offset: 1 }] });
    expect(await ada.ask({ action: 'history', topic: 'secret/a', grant })).toMatchObject({
      messages: [{ data: 'psst' }],
    });
    const feed = await grantOf('secret/a', ['subscribe']);
    const recovery = { action: 'subscribe', topic: 'secret/a', position: { epoch, offset: 0 } };
    expect(await ada.ask({ ...recovery, grant: feed })).toMatchObject({ reason: 'recovery_off' });
    expect(await ada.ask({ ...recovery, grant })).toMatchObject({ recovered: true });
  });
});

it('no token and no grant is in any log or answer', async () => {
  const ada = await openAs('ada');
  const grant = await grantOf('team', ['subscribe']);
  for (const command of [
    { action: 'subscribe', grant: { grant }, topic: 'team' },
    { grant, action: 'subscribe', topic: 'team', rewind: 0 },
    { grant, action: 'history', topic: 'team', before: 7 },
    { token: grant, action: 'authenticate', topic: 'team' },
    { token: [grant], action: 'authenticate' },
  ]) {
    expect(await ada.ask(command)).toMatchObject({ code: 'bad_request' });
  }
  const told = [...ada.texts, system.output()].join();
  for (const secret of secrets) {
    for (const part of secret.split('.')) expect(told.includes(part.slice(0, 30))).toBe(false);
  }
});
