import type { ChangeMessageVisibilityBatchCommandInput } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { createRedelivery, redeliveryDelaySeconds } from '../../shared/queues/redelivery.ts';
import { queueRecord } from '../support/records.ts';
import { waitingClock } from '../support/waits.ts';

const URL_OF = 'https://sqs.eu-west-1.amazonaws.com/000000000000';
const arnOf = (queue: string) => `arn:aws:sqs:eu-west-1:000000000000:${queue}`;

describe('a record that failed', () => {
  it('comes back after twice as long each time, up to a quarter of a minute, and at the least after half of that', () => {
    const delays = (chance: number) =>
      [1, 2, 3, 4, 5, 6, 14].map((receives) => redeliveryDelaySeconds(receives, () => chance));
    expect(delays(0.999)).toEqual([1, 2, 4, 8, 15, 15, 15]);
    expect(delays(0)).toEqual([1, 1, 2, 4, 8, 8, 8]);
  });

  /** A queue that answers with what fails of each call. */
  function queueThat(fails: (input: ChangeMessageVisibilityBatchCommandInput) => object[] = () => []) {
    const inputs: ChangeMessageVisibilityBatchCommandInput[] = [];
    const send = async ({ input }: { readonly input: ChangeMessageVisibilityBatchCommandInput }) => {
      inputs.push(input);
      return { Failed: fails(input) };
    };
    const clock = waitingClock(() => 0.999);
    return { redeliver: createRedelivery({ send } as never, `${URL_OF}/Delivery`, clock), inputs, clock };
  }

  it('is made visible in the queue that handed it out', async () => {
    const { redeliver, inputs } = queueThat();
    await redeliver([
      queueRecord({ messageId: 'a', queueArn: arnOf('Ingest') }),
      queueRecord({ messageId: 'b', queueArn: arnOf('Ingest'), receives: 3 }),
    ]);
    expect(inputs).toEqual([
      {
        QueueUrl: `${URL_OF}/Ingest`,
        Entries: [
          { Id: '0', ReceiptHandle: 'a/1', VisibilityTimeout: 1 },
          { Id: '1', ReceiptHandle: 'b/3', VisibilityTimeout: 4 },
        ],
      },
    ]);
  });

  it('is one of at most ten in a call', async () => {
    const { redeliver, inputs } = queueThat();
    await redeliver(Array.from({ length: 25 }, (_, index) => queueRecord({ messageId: `${index}` })));
    expect(inputs.map(({ Entries }) => Entries?.length)).toEqual([10, 10, 5]);
  });

  it('is asked for again if the queue refuses for now', async () => {
    let calls = 0;
    const { redeliver, inputs } = queueThat(() =>
      calls++ === 0 ? [{ Id: '1', Code: 'InternalError' }] : [],
    );
    await redeliver(['a', 'b'].map((messageId) => queueRecord({ messageId })));
    expect(inputs.map(({ Entries }) => Entries?.map(({ ReceiptHandle }) => ReceiptHandle))).toEqual([
      ['a/1', 'b/1'],
      ['b/1'],
    ]);
  });

  it('stays hidden if its receipt is good no more', async () => {
    const { redeliver, clock } = queueThat(() => [
      { Id: '0', Code: 'ReceiptHandleIsInvalid', SenderFault: true, Message: 'too late' },
    ]);
    await expect(redeliver([queueRecord({ messageId: 'a' })])).rejects.toThrow('ReceiptHandleIsInvalid');
    expect(clock.waits).toEqual([]);
  });
});
