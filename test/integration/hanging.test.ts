import { expect, it, onTestFinished } from 'vitest';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal } from '../support/local.ts';

/** Five workers that each waited five seconds for a post that hangs would need a minute for so many. */
const MESSAGES = 60;

it('delays neither its own topic nor another by a connection that hangs', async () => {
  const local = await bootLocal({ faults: NO_FAULTS });
  onTestFinished(() => local.stop());
  const backEnd = new BackEnd(local.ready);
  const open = async (topic: string) => {
    const client = await Client.open(local.ready.websocketUrl);
    await client.subscribe(topic);
    return client;
  };
  const [hung, same, other] = [await open('same'), await open('same'), await open('other')];
  const { connectionId } = await hung.ask({ action: 'whoami' });
  await new Faults(local.ready).set({
    faults: [{ on: '@connections', method: 'POST', connectionId, effect: 'hang' }],
  });
  for (let n = 0; n < MESSAGES; n++) {
    await backEnd.publish({ topic: 'same', data: n }, { topic: 'other', data: n });
    await Promise.all([same.message(n), other.message(n)]);
  }
  expect(hung.messages).toEqual([]);
});
