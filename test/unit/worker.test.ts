import { afterEach, expect, it, vi } from 'vitest';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { type WorkerResult, worker } from '../../shared/lambda/worker.ts';
import { queueRecord } from '../support/records.ts';

afterEach(() => vi.restoreAllMocks());

const record = (messageId: string) => queueRecord({ messageId });
const context = { awsRequestId: 'one', getRemainingTimeInMillis: () => 1_000 };

type Run = (records: readonly QueueRecord[], stopAtMs: number) => Promise<WorkerResult>;

/** A worker, what it has its queue hand out again soon, and what it logs. */
function workerThat(run: Run, redelivers: () => Promise<void> = async () => {}) {
  const soon: string[] = [];
  const logged: string[] = [];
  vi.spyOn(logger, 'error').mockImplementation((...[message]) => void logged.push(String(message)));
  const redeliver = (records: readonly QueueRecord[]) => {
    soon.push(...records.map(({ messageId }) => messageId));
    return redelivers();
  };
  const handler = worker(run, { now: () => 5_000, redeliver });
  return { work: (...ids: string[]) => handler({ Records: ids.map(record) }, context), soon, logged };
}

const failing =
  (...ids: string[]): Run =>
  async (records) => ({
    failed: records
      .filter(({ messageId }) => ids.includes(messageId))
      .map((each) => ({ record: each, reason: new Error('no') })),
    remarks: undefined,
  });

it('answers with the records that failed, so that the others are not handed out again', async () => {
  const { work } = workerThat(failing('b'));
  expect(await work('a', 'b')).toEqual({ batchItemFailures: [{ itemIdentifier: 'b' }] });
});

it('has its queue hand out again soon what failed, and nothing else', async () => {
  const { work, soon } = workerThat(failing('b', 'c'));
  await work('a', 'b', 'c');
  expect(soon).toEqual(['b', 'c']);
});

it('asks its queue for nothing when nothing failed', async () => {
  const redelivers = vi.fn(async () => {});
  await workerThat(failing(), redelivers).work('a');
  expect(redelivers).not.toHaveBeenCalled();
});

it('leaves to the visibility timeout what its queue does not hand out sooner, and says so', async () => {
  const { work, logged } = workerThat(failing('b'), () => Promise.reject(new Error('no right')));
  expect(await work('a', 'b')).toEqual({ batchItemFailures: [{ itemIdentifier: 'b' }] });
  expect(logged).toContain('records stay hidden until their visibility timeout ends');
});

it('lets an error of the whole batch go on, so that the queue hands out all of it again, and soon', async () => {
  const { work, soon } = workerThat(() => Promise.reject(new Error('no table')));
  await expect(work('a', 'b')).rejects.toThrow('no table');
  expect(soon).toEqual(['a', 'b']);
});

it('stops starting anything new when half of its time is over', async () => {
  let stopAtMs = 0;
  const { work } = workerThat(async (_, untilMs) => {
    stopAtMs = untilMs;
    return { failed: [], remarks: undefined };
  });
  await work();
  expect(stopAtMs).toBe(5_500);
});
