import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { OPEN_APP } from '../support/apps.ts';
import { synthesiseAll } from '../support/assemblies.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal, type LocalOptions, type TemplateResources } from '../support/local.ts';
import { until } from '../support/until.ts';

/** What the policies of resources are for: services of AWS come in by them, and so may anybody. */

const [GUARDED, SHOP] = ['test/apps/guarded.ts', 'test/apps/shop.ts'];
beforeAll(() => synthesiseAll(OPEN_APP, GUARDED, SHOP));

async function boot(options: LocalOptions) {
  const lines: string[] = [];
  const local = await bootLocal({ log: (source, line) => lines.push(`${source} ${line}`), ...options });
  const said = (...parts: string[]) =>
    until(() => lines.find((line) => parts.every((part) => line.includes(part))));
  return { local, backEnd: new BackEnd(local.ready), said };
}

type BootSystem = (options: LocalOptions) => ReturnType<typeof boot>;

/** Each test has a system of its own, so they run side by side. */
const it = test.extend<{ system: BootSystem }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture needs from its pattern
  system: async ({}, use) => {
    const running: Runtime[] = [];
    await use(async (options) => {
      const system = await boot(options);
      running.push(system.local);
      return system;
    });
    for (const local of running) await local.stop();
  },
});

/** Takes away the resources of a type whose logical id looks so. There have to be some. */
const without =
  (type: string, ...ids: RegExp[]) =>
  (resources: TemplateResources): void => {
    for (const id of ids) {
      const found = Object.keys(resources).filter((key) => resources[key]?.Type === type && id.test(key));
      if (found.length === 0) throw new Error(`expected a ${type} like ${id}`);
      for (const key of found) delete resources[key];
    }
  };

const statementsOf = (resources: TemplateResources, id: RegExp): unknown[] => {
  const key = Object.keys(resources).find((each) => id.test(each)) ?? '';
  return resources[key]?.Properties.PolicyDocument.Statement;
};

describe.concurrent('API Gateway', () => {
  it('may not invoke a route’s function without a permission', async ({ system }) => {
    const { local } = await system({ edit: without('AWS::Lambda::Permission', /pingRoute/) });
    const client = await Client.open(local.ready.websocketUrl);
    client.send({ action: 'ping' });
    expect(await client.wait(({ message }) => message !== undefined)).toMatchObject({
      message: 'Internal server error',
    });
    expect(await client.ask({ action: 'whoami' })).toMatchObject({ type: 'ack' });
    await client.close();
  });

  it('may not invoke the function of another route by its permission', async ({ system }) => {
    const { local } = await system({
      edit: (resources) => {
        const [ping] = Object.values(resources).filter(
          ({ Type, Properties }) =>
            Type === 'AWS::Lambda::Permission' && JSON.stringify(Properties).includes('/*ping'),
        );
        if (ping) ping.Properties.SourceArn['Fn::Join'][1].splice(-1, 1, '/*pong');
      },
    });
    const client = await Client.open(local.ready.websocketUrl);
    client.send({ action: 'ping' });
    await client.wait(({ message }) => message === 'Internal server error');
    await client.close();
  });

  it('answers a handshake with 500 if it may not ask the function of $connect', async ({ system }) => {
    const { local } = await system({ edit: without('AWS::Lambda::Permission', /connectRouteConnect/) });
    await expect(Client.open(local.ready.websocketUrl)).rejects.toThrow('Unexpected server response: 500');
  });

  it('answers a handshake with 500 if it may not ask the authorizer', async ({ system }) => {
    const { local } = await system({
      app: GUARDED,
      edit: without('AWS::Lambda::Permission', /Guard/),
    });
    await expect(Client.open(`${local.ready.websocketUrl}?token=alice`)).rejects.toThrow(
      'Unexpected server response: 500',
    );
  });
});

describe.concurrent('EventBridge', () => {
  it('may not send to a queue whose policy does not let it in, and buries the event', async ({ system }) => {
    const { backEnd } = await system({ edit: without('AWS::SQS::QueuePolicy', /^FanwireIngestPolicy/) });
    await backEnd.publish({ topic: 'a', data: 1 });
    const letter = await until(async () => (await backEnd.drain('ingestDeadLetters'))[0]);
    expect(letter?.MessageAttributes?.ERROR_CODE?.StringValue).toBe('NO_PERMISSIONS');
    expect(letter?.MessageAttributes?.ERROR_MESSAGE?.StringValue).toMatch(
      /^User: events\.amazonaws\.com is not authorized to perform: sqs:SendMessage on resource: \S+ because no resource-based policy/,
    );
  });

  it('may not bury an event in a queue whose policy does not let it in', async ({ system }) => {
    const { backEnd, said } = await system({
      edit: without('AWS::SQS::QueuePolicy', /^FanwireIngestPolicy/, /^FanwireIngestDeadLettersPolicy/),
    });
    await backEnd.publish({ topic: 'a', data: 1 });
    await said('bus', 'NO_PERMISSIONS', 'nor its dead-letter queue', 'it is lost');
    expect(await backEnd.depth('ingestDeadLetters')).toBe(0);
  });

  it('may not invoke a function that does not let its rule in', async ({ system }) => {
    const { backEnd, said } = await system({
      app: SHOP,
      edit: without('AWS::Lambda::Permission', /Orders/),
    });
    await backEnd.put({ source: 'shop', detailType: 'sold', detail: { total: 101 } });
    await said('bus', 'NO_PERMISSIONS', 'lambda:InvokeFunction', 'it is lost');
  });
});

describe.concurrent('the policy of a queue', () => {
  const ROLE = 'arn:aws:iam::000000000000:role/Visitor';
  const LETTERS = /^FanwireDeliveryDeadLettersPolicy/;

  it('lets in whom no other policy does', async ({ system }) => {
    const { local, backEnd } = await system({
      edit: (resources) =>
        statementsOf(resources, LETTERS).push({
          Effect: 'Allow',
          Principal: { AWS: ROLE },
          Action: 'sqs:SendMessage',
          Resource: '*',
        }),
    });
    const { endpoint, region, queues } = local.ready;
    const visitor = new SQSClient({ endpoint, region, credentials: local.assumeRole(ROLE, 'visit') });
    const QueueUrl = queues.deliveryDeadLetters;
    await visitor.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }));
    expect(await backEnd.depth('deliveryDeadLetters')).toBe(1);
    await expect(visitor.send(new ReceiveMessageCommand({ QueueUrl }))).rejects.toThrow(
      'because no identity-based policy allows the sqs:receivemessage action',
    );
  });

  it('denies what everything else allows, to the root user too', async ({ system }) => {
    const { local, backEnd } = await system({
      edit: (resources) =>
        statementsOf(resources, LETTERS).push({
          Effect: 'Deny',
          Principal: '*',
          Action: 'sqs:Send*',
          Resource: '*',
        }),
    });
    const QueueUrl = local.ready.queues.deliveryDeadLetters;
    await expect(
      backEnd.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' })),
    ).rejects.toThrow(
      /^User: arn:aws:iam::000000000000:root is not authorized to perform: sqs:sendmessage on resource: \S+ with an explicit deny in a resource-based policy$/,
    );
  });
});

it('a function that logs to another group than its role may use is not heard', async ({ system }) => {
  const { local, said } = await system({
    edit: (resources) => {
      const key = Object.keys(resources).find((each) => each.startsWith('FanwirePingFunction')) ?? '';
      delete resources[key]?.Properties.LoggingConfig;
    },
  });
  const client = await Client.open(local.ready.websocketUrl);
  await client.ask({ action: 'ping' });
  await said(
    'iam',
    'what it logs is lost',
    'logs:CreateLogStream',
    ':log-group:/aws/lambda/Fanwire-FanwirePing',
  );
  await client.close();
});
