import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, it, type TestContext } from 'vitest';
import { CHAIN_MAX } from '../../infra/local/lambda/lineage.ts';
import type { Usage } from '../../infra/local/meter/meter.ts';
import { POSTS_KEY } from '../../shared/data/tables.ts';
import { type DeliveryJob, decodeJob } from '../../shared/queues/job.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal, type LocalOptions, type TemplateResources, variablesOf } from '../support/local.ts';
import { until } from '../support/until.ts';

/** As it is without a word in the template. */
function terminateLoops(resources: TemplateResources): void {
  for (const { Properties } of Object.values(resources)) delete Properties?.RecursiveLoop;
}

type Finishing = Pick<TestContext, 'onTestFinished'>;

async function start({ onTestFinished }: Finishing, options: LocalOptions) {
  const local = await bootLocal(options);
  onTestFinished(() => local.stop());
  const backEnd = new BackEnd(local.ready);
  const send = (queue: string, MessageBody: string) =>
    backEnd.sqs.send(new SendMessageCommand({ QueueUrl: local.ready.queues[queue], MessageBody }));
  const invocations = async (name: string): Promise<number> => {
    const usage = (await (await fetch(`${local.ready.endpoint}/_fanwire/usage`)).json()) as Usage;
    return usage.functions[name]?.invocations ?? 0;
  };
  return { local, backEnd, send, invocations };
}

// Side by side: most of their time they wait for the next hop.
describe.concurrent('a function that sends itself messages', () => {
  const app = 'test/apps/loop.ts';

  it('is invoked as often as it likes where its template allows it', async ({ expect, ...test }) => {
    const { backEnd, send } = await start(test, { app });
    await send('numbers', '1');
    await until(async () => (await backEnd.depth('done')) > 0);
    expect((await backEnd.drain('done')).map(({ Body }) => Body)).toEqual(['41']);
  });

  it('is else not invoked again after 16 times, and the message becomes a dead letter', async ({
    expect,
    ...test
  }) => {
    const { backEnd, send, invocations } = await start(test, { app, edit: terminateLoops });
    await send('numbers', '1');
    await until(async () => (await backEnd.depth('dead')) > 0);
    expect((await backEnd.drain('dead')).map(({ Body }) => Body)).toEqual([String(CHAIN_MAX + 1)]);
    expect(await invocations('count')).toBe(CHAIN_MAX);
  });
});

/** Of the one resource whose logical id is like that. */
const propertiesOf = (resources: TemplateResources, id: RegExp) =>
  resources[Object.keys(resources).find((each) => id.test(each)) ?? '']?.Properties;

describe.concurrent('a delivery job that no worker has time for', () => {
  /** Nobody has a turn to post before the schedule of posts is free again. */
  const freeAt = async ({ backEnd, local }: Awaited<ReturnType<typeof start>>, ms: number) =>
    backEnd.dynamodb.send(
      new PutItemCommand({
        TableName: local.ready.tables.topics,
        Item: { ...POSTS_KEY, freeAt: { N: String(ms) } },
      }),
    );

  /** A worker waits for a turn during half of the time that it may run. */
  async function startBusy(
    test: Finishing,
    timeoutSeconds: number,
    edit: (resources: TemplateResources) => void,
  ) {
    const system = await start(test, {
      edit: (resources) => {
        propertiesOf(resources, /^FanwireDeliverFunction/).Timeout = timeoutSeconds;
        // Longer than a cold start. A worker that has had too little time fails, and the job comes again.
        const queue = propertiesOf(resources, /^FanwireDelivery[0-9A-F]{8}$/);
        queue.VisibilityTimeout = 5;
        // So few that not even one post goes out without a turn.
        variablesOf(resources, 'Deliver').REQUESTS_PER_SECOND_MAX = '10';
        edit(resources);
      },
    });
    const client = await Client.open(system.local.ready.websocketUrl);
    const { connectionId } = await client.ask({ action: 'whoami' });
    await freeAt(system, Date.now() + 3_600_000);
    const job: DeliveryJob = {
      group: 'news',
      messages: [{ json: JSON.stringify({ data: 'at last' }) }],
      connectionIds: [String(connectionId)],
      shards: [],
      attempt: 1,
    };
    await system.send('delivery', JSON.stringify(job));
    return { ...system, client, free: () => freeAt(system, 0) };
  }

  it('goes on forty times, and is delivered', async (test) => {
    const { client, free, invocations } = await startBusy(test, 1, () => {});
    await until(async () => (await invocations('deliver')) >= 40);
    await free();
    await client.message('at last');
    await client.close();
  }, 120_000);

  it('would end as a dead letter where Lambda ends loops', async ({ expect, ...test }) => {
    const { client, backEnd, invocations } = await startBusy(test, 3, (resources) => {
      terminateLoops(resources);
      // A worker that fails would end the job, so each has three times the time: the machine may be busy.
      propertiesOf(resources, /^FanwireDelivery[0-9A-F]{8}$/).RedrivePolicy.maxReceiveCount = 1;
    });
    await until(async () => (await backEnd.depth('deliveryDeadLetters')) > 0);
    expect(await invocations('deliver')).toBe(CHAIN_MAX);
    const [letter] = await backEnd.drain('deliveryDeadLetters');
    expect(decodeJob(String(letter?.Body)).attempt).toBe(1);
    expect(client.messages).toEqual([]);
    await client.close();
  }, 120_000);
});
