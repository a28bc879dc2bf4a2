import { expect, it } from 'vitest';
import { worker } from '../../shared/lambda/worker.ts';

const record = (messageId: string) => ({ messageId, body: '' });
const context = { awsRequestId: 'one', getRemainingTimeInMillis: () => 1_000 };

it('answers with the records that failed, so that the others are not handed out again', async () => {
  const run = worker(
    async (records) => ({
      failed: records.slice(1).map((each) => ({ record: each, reason: new Error('no') })),
      remarks: undefined,
    }),
    () => 0,
  );
  expect(await run({ Records: [record('a'), record('b')] }, context)).toEqual({
    batchItemFailures: [{ itemIdentifier: 'b' }],
  });
});

it('lets an error of the whole batch go on, so that the queue hands out all of it again', async () => {
  const run = worker(
    () => Promise.reject(new Error('no table')),
    () => 0,
  );
  await expect(run({ Records: [record('a')] }, context)).rejects.toThrow('no table');
});

it('stops starting anything new when half of its time is over', async () => {
  let stopAtMs = 0;
  const run = worker(
    async (_, untilMs) => {
      stopAtMs = untilMs;
      return { failed: [], remarks: undefined };
    },
    () => 5_000,
  );
  await run({ Records: [] }, context);
  expect(stopAtMs).toBe(5_500);
});
