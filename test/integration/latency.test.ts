import { expect, it, onTestFinished } from 'vitest';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';

it('loses nothing where everything takes as long as on AWS', async () => {
  const local = await bootLocal({ latency: { profile: 'aws', seed: 1 } });
  onTestFinished(() => local.stop());
  const backEnd = new BackEnd(local.ready);
  const clients = await Promise.all([1, 2, 3].map(() => Client.open(local.ready.websocketUrl)));
  const topics = ['chat/lobby', 'news'];
  for (const client of clients) {
    for (const topic of topics) await client.subscribe(topic);
  }
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  for (const n of numbers)
    await backEnd.publish(...topics.map((topic) => ({ topic, data: `${topic} ${n}` })));
  for (const client of clients) {
    for (const n of numbers) await Promise.all(topics.map((topic) => client.message(`${topic} ${n}`)));
    expect(client.messages).toHaveLength(topics.length * numbers.length);
    await client.close();
  }
});
