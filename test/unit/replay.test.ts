import { describe, expect, it } from 'vitest';
import { ENTRY_MARGIN_SECONDS, entryJson } from '../../shared/data/log.ts';
import {
  type ReplayPage,
  readAfter,
  readBack,
  readFromOldest,
  rewind,
  toLogPage,
} from '../../shared/data/replay.ts';
import { dataJson } from '../support/json-texts.ts';
import { type AtStep, dies, type LogSettings, once, redelivered, TopicLog } from '../support/topic-log.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const MARGIN_MS = 1000 * ENTRY_MARGIN_SECONDS;

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const ids = ({ messages }: ReplayPage): string[] => messages.map((json) => JSON.parse(json).messageId);
/** What a page has, how far it goes, and whether there is more. */
const shown = (page: ReplayPage | string) =>
  typeof page === 'string' ? page : [ids(page).join(' '), page.offset, ...(page.more ? ['more'] : [])];

const publish = async (log: TopicLog, ...messageIds: string[]): Promise<void> => {
  await log.publish(...messageIds.map((id) => log.draft(id)));
};
/** Messages m1, m2, … one after the other, so far apart. */
async function publishNumbers(log: TopicLog, count: number, apartMs = 0): Promise<void> {
  const worker = log.worker();
  for (const n of numbers(1, count)) {
    await worker(log.draft(`m${n}`));
    log.nowMs += apartMs;
  }
}
/** A worker allocates so many offsets, and dies. */
async function leaveHoles(log: TopicLog, count = 1): Promise<void> {
  const drafts = numbers(1, count).map((n) => log.draft(`lost ${n}`));
  await expect(log.worker(once('after allocate', dies))(...drafts)).rejects.toThrow('got killed');
}

const since = async (log: TopicLog, offset: number, limit = 100, epoch?: string) => {
  const view = await log.view();
  return readAfter({ epoch: epoch ?? view.log.epoch, offset }, limit, view, log.reading());
};
const back = async (log: TopicLog, before?: number, limit = 100, atStep?: AtStep) =>
  readBack(before, limit, await log.view(), log.reading(atStep));
const newest = async (log: TopicLog, wanted: Parameters<typeof rewind>[0]) =>
  rewind(wanted, await log.view(), log.reading());
const oldest = async (log: TopicLog, limit = 100) => readFromOldest(limit, await log.view(), log.reading());

describe('after a position', () => {
  it('come the messages since, and nothing at the newest', async () => {
    const log = new TopicLog();
    await publish(log, 'a', 'b', 'c');
    expect(shown(await since(log, 0))).toEqual(['a b c', 3]);
    expect(shown(await since(log, 1))).toEqual(['b c', 3]);
    expect(shown(await since(log, 3))).toEqual(['', 3]);
  });

  it('of a log that is empty comes nothing', async () => {
    const log = new TopicLog();
    expect(shown(await since(log, 0))).toEqual(['', 0]);
  });

  it.each<[string, number, string | undefined, string]>([
    ['of another log', 1, 'another', 'epoch'],
    ['that is ahead', 4, undefined, 'unknown_position'],
  ])('%s it says so', async (_, offset, epoch, reason) => {
    const log = new TopicLog();
    await publish(log, 'a', 'b', 'c');
    expect(await since(log, offset, 100, epoch)).toBe(reason);
  });

  it('before what the log keeps by number it says so', async () => {
    const log = new TopicLog({ messages: 5 });
    await publishNumbers(log, 12);
    expect(shown(await since(log, 7))).toEqual(['m8 m9 m10 m11 m12', 12]);
    expect(await since(log, 6)).toBe('trimmed');
    expect(await since(log, 0)).toBe('trimmed');
  });

  it('before what the log keeps by time it says so', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publishNumbers(log, 3, 20 * SECOND_MS);
    // m1 was published a minute ago, so it has just gone.
    expect(await since(log, 0)).toBe('trimmed');
    // The position itself may be as old as it likes.
    expect(shown(await since(log, 1))).toEqual(['m2 m3', 3]);
    log.nowMs += HOUR_MS;
    expect(await since(log, 2)).toBe('trimmed');
    expect(shown(await since(log, 3))).toEqual(['', 3]);
  });

  it('it says so also once everything has been deleted', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publishNumbers(log, 3);
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    expect(await log.contents()).toEqual([undefined, undefined, undefined]);
    for (const offset of [0, 1, 2]) expect(await since(log, offset)).toBe('trimmed');
    await publish(log, 'new');
    for (const offset of [0, 1, 2]) expect(await since(log, offset)).toBe('trimmed');
    expect(shown(await since(log, 3))).toEqual(['new', 4]);
    // Nothing was taken for a hole on the way.
    expect((await log.contents()).slice(0, 3)).toEqual([undefined, undefined, undefined]);
  });

  it('at 0 of a young log come all, though nothing is at 0', async () => {
    const log = new TopicLog({ seconds: 60 });
    await leaveHoles(log);
    await publish(log, 'a');
    log.nowMs += 50 * SECOND_MS;
    expect(shown(await since(log, 0))).toEqual(['a', 2]);
    expect(await log.contents()).toEqual([null, 'a']);
  });

  it('come no messages for others, and none that are too late, and the page goes past them', async () => {
    const log = new TopicLog();
    const expiresAtMs = log.nowMs + SECOND_MS;
    await log.publish(
      log.draft('a'),
      log.draft('not for it', { except: ['x', 'reader'] }),
      log.draft('for it', { except: ['x'] }),
      log.draft('soon too late', { expiresAtMs }),
    );
    expect(shown(await since(log, 0))).toEqual(['a for it soon too late', 4]);
    log.nowMs = expiresAtMs;
    expect(shown(await since(log, 0))).toEqual(['a for it', 4]);
    expect(shown(await since(log, 3))).toEqual(['', 4]);
  });
});

describe('a hole', () => {
  it('becomes a tombstone, and the message that was meant for it comes later', async () => {
    const log = new TopicLog();
    await publish(log, 'a');
    const lost = log.draft('lost');
    await expect(log.worker(once('after claim', dies))(lost)).rejects.toThrow();
    await publish(log, 'b');
    expect(shown(await since(log, 0))).toEqual(['a b', 3]);
    expect(await log.contents()).toEqual(['a', null, 'b']);
    await log.publish(redelivered(lost));
    expect(shown(await since(log, 3))).toEqual(['lost', 4]);
  });

  it('is waited for a moment, and read when it is written by then', async () => {
    const log = new TopicLog();
    await publish(log, 'a');
    const read = Promise.withResolvers<unknown>();
    let waits = 0;
    const slow = log.worker(
      once('before write', async () => {
        await publish(log, 'c');
        const deps = log.reading();
        const view = await log.view();
        const wait = async () => {
          // While the reader waits for the second time, the worker goes on.
          if (++waits === 2) read.resolve(undefined);
          await new Promise(setImmediate);
        };
        void readAfter({ epoch: view.log.epoch, offset: 0 }, 100, view, { ...deps, wait }).then(
          (page) => done.resolve(page),
          done.reject,
        );
        await read.promise;
      }),
    );
    const done = Promise.withResolvers<ReplayPage | string>();
    await slow(log.draft('b'));
    expect(shown(await done.promise)).toEqual(['a b c', 3]);
    expect(waits).toBeLessThanOrEqual(3);
  });

  it('is waited for 500 ms at most, and not at all once the log has been quiet for 10 s', async () => {
    for (const [quietMs, waitedMs] of [
      [9_999, 500],
      [10_000, 0],
    ] as const) {
      const log = new TopicLog();
      await leaveHoles(log);
      await publish(log, 'a');
      log.nowMs += quietMs;
      const startMs = log.nowMs;
      expect(shown(await since(log, 0))).toEqual(['a', 2]);
      expect(log.nowMs - startMs).toBe(waitedMs);
    }
  });

  it('at the end is left to the live feed, until the log has been quiet for 10 s', async () => {
    const log = new TopicLog();
    await publish(log, 'a');
    await leaveHoles(log, 2);
    expect(shown(await since(log, 0))).toEqual(['a', 1]);
    expect(shown(await since(log, 1))).toEqual(['', 1]);
    expect(shown(await newest(log, 10))).toEqual(['a', 1]);
    expect(await log.contents()).toEqual(['a', undefined, undefined]);
    log.nowMs += 10 * SECOND_MS;
    expect(shown(await since(log, 0))).toEqual(['a', 3]);
    expect(await log.contents()).toEqual(['a', null, null]);
  });

  it('below one that is filled is filled, too, when it is the end of what was asked for', async () => {
    const log = new TopicLog();
    await leaveHoles(log, 3);
    await publish(log, 'a', 'b');
    expect(shown(await since(log, 0, 1))).toEqual(['', 1, 'more']);
    expect(shown(await since(log, 1, 10))).toEqual(['a b', 5]);
    expect(await log.contents()).toEqual([null, null, null, 'a', 'b']);
  });

  it('is a message if that was written while the reader was about to fill it', async () => {
    const log = new TopicLog();
    const slow = log.draft('slow');
    await expect(log.worker(once('after claim', dies))(slow)).rejects.toThrow();
    await publish(log, 'a');
    log.nowMs += MINUTE_MS;
    const view = await log.view();
    const deps = log.reading(once('before write', () => log.publish(redelivered(slow))));
    const page = await readAfter({ epoch: view.log.epoch, offset: 0 }, 100, view, deps);
    expect(shown(page)).toEqual(['slow a', 2]);
  });

  it('of the last allocation is as old as that says, though nothing is known of what is below', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    // Dead before it was decided: a client that subscribes now has it for its position all the same.
    await leaveHoles(log);
    log.nowMs += MARGIN_MS;
    await leaveHoles(log, 2);
    expect(shown(await since(log, 2))).toEqual(['', 2]);
    expect(shown(await since(log, 1))).toBe('trimmed');
  });

  it('is as old as it was when older code has allocated since, which does not say from where on', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'a');
    await publish(log, 'b');
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    for (const offset of [3, 4]) {
      await log.updateHead('SET #offset = #offset + :one, previousAt = allocatedAt, allocatedAt = :nowMs', {
        ':one': { N: '1' },
      });
      const json = entryJson(log.draft(`m${offset}`).message, offset);
      await log.logs().write(await log.log(), { offset, json, atMs: log.nowMs }, 60);
    }
    expect(shown(await since(log, 0))).toBe('trimmed');
    expect(shown(await since(log, 2))).toEqual(['m3 m4', 4]);
  });

  it('below the last allocation is as old as the one before, so that it comes live after a rewind', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    await leaveHoles(log);
    await leaveHoles(log);
    expect(shown(await newest(log, 1))).toEqual(['', 1]);
  });

  it('that was allocated just now is waited for if it could have been deleted long ago', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    for (let batch = 0; batch < 3; batch++) await leaveHoles(log, 2);
    const view = await log.view();
    const written = [3, 2, 5, 4]; // one in each moment
    const writeNext = async () => {
      const offset = written.shift();
      if (offset === undefined) return;
      const json = entryJson(log.draft(`m${offset}`).message, offset);
      await log.logs().write(view.log, { offset, json, atMs: log.nowMs, previousAtMs: log.nowMs }, 60);
    };
    const page = await rewind(5, view, { ...log.reading(), wait: writeNext });
    expect(shown(page)).toEqual(['m2 m3', 3]); // the others come live
  });

  it('that was allocated just now is not told as lost before it could have been written', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    const oldMs = log.nowMs;
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    for (let batch = 0; batch < 3; batch++) await leaveHoles(log);
    const view = await log.view();
    const write = async () => {
      const json = entryJson(log.draft('late').message, 2);
      await log.logs().write(view.log, { offset: 2, json, atMs: log.nowMs, previousAtMs: oldMs }, 60);
    };
    const position = { epoch: view.log.epoch, offset: 1 };
    const reading = { ...log.reading(), wait: write };
    expect(shown(await readAfter(position, 100, view, reading))).toEqual(['late', 2]);
    expect(await readAfter({ ...position, offset: 0 }, 100, view, log.reading())).toBe('trimmed');
  });

  it.each([
    ['log that is', 0],
    ['entry below that is', 1],
  ])('is no older than the %s young, though the position was never decided', async (_, below) => {
    const log = new TopicLog({ seconds: 60 });
    if (below) {
      await log.view(); // the log is old
      log.nowMs += MARGIN_MS + HOUR_MS;
      await publish(log, 'young');
    }
    await leaveHoles(log, 3);
    await publish(log, 'a');
    // A tombstone, which does not know when the offset below it was allocated.
    await log.logs().write(await log.log(), { offset: below + 3, atMs: log.nowMs }, 60);
    expect(shown(await since(log, below + 1))).toEqual(['a', below + 4]);
  });

  it('whose age is not known counts as trimmed: it may have been a message', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publishNumbers(log, 5);
    log.nowMs += MARGIN_MS + MINUTE_MS + SECOND_MS;
    log.tables.expire(log.nowMs);
    await publish(log, 'new');
    const before = await log.contents();
    expect(before).toEqual([...Array(5).fill(undefined), 'new']);
    expect(await since(log, 3)).toBe('trimmed');
    expect(shown(await newest(log, 10))).toEqual(['new', 6]);
    expect(shown(await oldest(log))).toEqual(['new', 6]);
    expect(shown(await back(log))).toEqual(['new', 6]);
    expect(await log.contents()).toEqual(before);
  });

  it('just below a message is as old as that says, whatever is below', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    await leaveHoles(log);
    await publish(log, 'new');
    expect(shown(await since(log, 1))).toEqual(['new', 3]);
    expect(await log.contents()).toEqual([undefined, null, 'new']);
  });

  it('that was filled is nothing that could be too old', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publish(log, 'old');
    log.nowMs += 50 * SECOND_MS;
    await leaveHoles(log, 2);
    await publish(log, 'new');
    expect(shown(await since(log, 1))).toEqual(['new', 4]);
    log.nowMs += 30 * SECOND_MS;
    expect(await since(log, 0)).toBe('trimmed');
    expect(shown(await since(log, 1))).toEqual(['new', 4]);
    expect(shown(await newest(log, 10))).toEqual(['new', 4]);
    expect(shown(await oldest(log))).toEqual(['new', 4]);
  });

  it.each([
    [1_500, 'trimmed'],
    [1_000, ['', 100, 'more']],
  ])('is one of %i: %j', async (count, expected) => {
    const log = new TopicLog({ messages: 10_000 });
    const epoch = (await log.head()).epoch;
    await log.logs().allocate({ topic: log.topic, epoch }, count);
    await publish(log, 'a');
    // More than can be in flight are not passed over.
    expect(shown(await since(log, 0))).toEqual(expected);
  });
});

describe('a page', () => {
  it('has as many as were asked for, and says that there are more', async () => {
    const log = new TopicLog();
    await publishNumbers(log, 5);
    expect(shown(await since(log, 0, 2))).toEqual(['m1 m2', 2, 'more']);
    expect(shown(await since(log, 2, 2))).toEqual(['m3 m4', 4, 'more']);
    expect(shown(await since(log, 4, 2))).toEqual(['m5', 5]);
  });

  it('has 100 at most, so that pages make the whole', async () => {
    const log = new TopicLog();
    await log.publish(...numbers(1, 250).map((n) => log.draft(`m${n}`)));
    const sizes: number[] = [];
    const all: string[] = [];
    let page = await since(log, 0, 300);
    for (; typeof page !== 'string'; page = await since(log, page.offset, 300)) {
      sizes.push(page.messages.length);
      all.push(...ids(page));
      if (!page.more) break;
    }
    expect(sizes).toEqual([100, 100, 50]);
    expect(all).toEqual(numbers(1, 250).map((n) => `m${n}`));
  });

  it('fits a reply: 100,000 bytes in UTF-8, but one message in any case', async () => {
    const log = new TopicLog();
    const large = (id: string, data: string) => {
      const draft = log.draft(id);
      return { ...draft, message: { ...draft.message, data: dataJson(data) } };
    };
    await log.publish(
      large('a', 'x'.repeat(49_000)),
      large('b', 'é'.repeat(24_500)),
      large('c', 'x'.repeat(2_000)),
      large('d', 'x'.repeat(120_000)),
      large('e', 'x'),
    );
    expect(shown(await since(log, 0))).toEqual(['a b', 2, 'more']);
    expect(shown(await since(log, 2))).toEqual(['c', 3, 'more']);
    expect(shown(await since(log, 3))).toEqual(['d', 4, 'more']);
    expect(shown(await since(log, 4))).toEqual(['e', 5]);
    expect(shown(await newest(log, 10))).toEqual(['a b', 2, 'more']);
    expect(shown(await back(log))).toEqual(['e', 5, 'more']);
  });

  // One read is 1 MB at most: the end of it is not the end of the log.
  it('goes on where a read was cut off', async () => {
    const log = new TopicLog({ pageItemsMax: 7, messages: 10_000 });
    const count = 1_200;
    await log.publish(...numbers(1, count).map((n) => log.draft(`m${n}`)));
    const all = numbers(1, count).map((n) => `m${n}`);
    const up: string[] = [];
    for (let page = await since(log, 0); typeof page !== 'string'; page = await since(log, page.offset)) {
      expect(page.messages.length).toBeLessThanOrEqual(100);
      up.push(...ids(page));
      if (!page.more) break;
    }
    expect(up).toEqual(all);
    const down: string[] = [];
    for (let page = await back(log); ; page = await back(log, page.offset)) {
      down.push(...ids(page));
      if (!page.more) break;
    }
    expect(down).toEqual(all.toReversed());
    expect(shown(await newest(log, 20))).toEqual([all.slice(-20).join(' '), count]);
    expect(await log.contents()).toEqual(all);
  });

  it('reads no more than it has to', async () => {
    const log = new TopicLog();
    await publishNumbers(log, 50);
    const steps: string[] = [];
    const deps = log.reading((step) => steps.push(step));
    const view = await log.view();
    await readAfter({ epoch: view.log.epoch, offset: 10 }, 100, view, deps);
    await rewind(10, view, deps);
    await readBack(undefined, 10, view, deps);
    expect(steps.filter((step) => step.startsWith('before'))).toEqual(Array(3).fill('before read'));
  });

  it('is written as replies have it', async () => {
    const log = new TopicLog();
    await publish(log, 'a', 'b');
    const view = await log.view();
    const { epoch } = view.log;
    const page = (await since(log, 0, 1)) as ReplayPage;
    expect(toLogPage(view.log, page)).toEqual({
      epoch,
      offset: 1,
      messages: [entryJson(log.draft('a').message, 1)],
      more: true,
    });
    expect(toLogPage(view.log, { messages: [], offset: 2, more: false })).toEqual({ epoch, offset: 2 });
  });
});

describe('a rewind', () => {
  it('by number gives that many of the newest, or all there are', async () => {
    const log = new TopicLog();
    await publishNumbers(log, 5);
    expect(shown(await newest(log, 2))).toEqual(['m4 m5', 5]);
    expect(shown(await newest(log, 300))).toEqual(['m1 m2 m3 m4 m5', 5]);
    expect(shown(await newest(new TopicLog(), 5))).toEqual(['', 0]);
  });

  it('by seconds gives those of so long ago', async () => {
    const log = new TopicLog();
    await publishNumbers(log, 5, 10 * SECOND_MS);
    expect(shown(await newest(log, { seconds: 25 }))).toEqual(['m4 m5', 5]);
    expect(shown(await newest(log, { seconds: 5 }))).toEqual(['', 5]);
    expect(shown(await newest(log, { seconds: 3_600 }))).toEqual(['m1 m2 m3 m4 m5', 5]);
  });

  it('counts messages, not offsets, and fills the holes among them', async () => {
    const log = new TopicLog();
    await publish(log, 'a', 'b');
    await leaveHoles(log, 3);
    await publish(log, 'c');
    await leaveHoles(log, 2);
    await publish(log, 'd');
    expect(shown(await newest(log, 3))).toEqual(['b c d', 9]);
    expect(await log.contents()).toEqual(['a', 'b', null, null, null, 'c', null, null, 'd']);
    expect(shown(await newest(log, { seconds: 60 }))).toEqual(['a b c d', 9]);
  });

  it('counts a message that it was about to fill a hole for', async () => {
    const log = new TopicLog();
    await publish(log, 'a');
    const slow = log.draft('slow');
    await expect(log.worker(once('after claim', dies))(slow)).rejects.toThrow();
    await publish(log, 'b');
    const deps = log.reading(once('before write', () => log.publish(redelivered(slow))));
    expect(shown(await rewind(2, await log.view(), deps))).toEqual(['slow b', 3]);
  });

  it('goes no further back than the log does, by number or by time', async () => {
    const byNumber = new TopicLog({ messages: 3 });
    await publishNumbers(byNumber, 5);
    expect(shown(await newest(byNumber, 10))).toEqual(['m3 m4 m5', 5]);
    const byTime = new TopicLog({ seconds: 25 });
    await publishNumbers(byTime, 5, 10 * SECOND_MS);
    expect(shown(await newest(byTime, 10))).toEqual(['m4 m5', 5]);
    expect(shown(await newest(byTime, { seconds: 3_600 }))).toEqual(['m4 m5', 5]);
  });

  it('by seconds gives 300 at most', async () => {
    const log = new TopicLog();
    await log.publish(...numbers(1, 310).map((n) => log.draft(`m${n}`)));
    expect(ids(await newest(log, { seconds: 60 }))).toHaveLength(300);
  });

  it('that does not fit a reply begins with its oldest message, and says that there are more', async () => {
    const log = new TopicLog();
    const filling = 'x'.repeat(30_000);
    for (const n of numbers(1, 6)) {
      const draft = log.draft(`m${n}`);
      await log.publish({ ...draft, message: { ...draft.message, data: dataJson(filling) } });
    }
    expect(shown(await newest(log, 5))).toEqual(['m2 m3 m4', 4, 'more']);
    expect(shown(await since(log, 4))).toEqual(['m5 m6', 6]);
  });

  it('leaves out what is not for the reader, as if it had been there', async () => {
    const log = new TopicLog();
    await log.publish(log.draft('a'), log.draft('b', { except: ['reader'] }), log.draft('c'));
    expect(shown(await newest(log, 2))).toEqual(['c', 3]);
  });
});

describe('in reverse', () => {
  it('come the messages below an offset, or the newest', async () => {
    const log = new TopicLog();
    await publishNumbers(log, 5);
    expect(shown(await back(log, undefined, 2))).toEqual(['m5 m4', 4, 'more']);
    expect(shown(await back(log, 4, 2))).toEqual(['m3 m2', 2, 'more']);
    expect(shown(await back(log, 2, 2))).toEqual(['m1', 1]);
    expect(shown(await back(log, 1, 2))).toEqual(['', 1]);
    expect(shown(await back(log, 100, 1))).toEqual(['m5', 5, 'more']);
    expect(shown(await back(new TopicLog()))).toEqual(['', 1]);
  });

  it('nothing is passed over that is not decided, not between two pages either', async () => {
    const log = new TopicLog();
    await publish(log, 'a', 'b', 'c');
    const slow = log.draft('slow');
    await expect(log.worker(once('after claim', dies))(slow)).rejects.toThrow();
    await publish(log, 'd', 'e');
    const first = await back(log, undefined, 2);
    expect(shown(first)).toEqual(['e d', 5, 'more']);
    const second = await back(log, first.offset, 2);
    expect(shown(second)).toEqual(['c b', 2, 'more']);
    // Its worker comes too late: nobody who read those pages would ever see it.
    await log.publish(redelivered(slow));
    expect(await log.contents()).toEqual(['a', 'b', 'c', null, 'd', 'e', 'slow']);
  });

  it('nothing is passed over although nothing is decided below the offset asked for', async () => {
    const log = new TopicLog();
    const slow = log.draft('slow');
    await expect(log.worker(once('after claim', dies))(slow)).rejects.toThrow();
    await publish(log, 'a');
    expect(shown(await back(log, 2))).toEqual(['', 1]);
    await log.publish(redelivered(slow));
    expect(await log.contents()).toEqual([null, 'a', 'slow']);
  });

  it('below what a page left undecided at the end nothing is lost', async () => {
    const log = new TopicLog();
    await publish(log, 'a');
    await leaveHoles(log, 2);
    expect(shown(await back(log))).toEqual(['a', 1]);
    expect(shown(await back(log, 3))).toEqual(['a', 1]);
    expect(shown(await back(log, 1))).toEqual(['', 1]);
  });

  it('nothing comes that the log does not keep', async () => {
    const byNumber = new TopicLog({ messages: 3 });
    await publishNumbers(byNumber, 5);
    expect(shown(await back(byNumber))).toEqual(['m5 m4 m3', 3]);
    expect(shown(await back(byNumber, 3))).toEqual(['', 3]);
    const byTime = new TopicLog({ seconds: 25 });
    await publishNumbers(byTime, 5, 10 * SECOND_MS);
    expect(shown(await back(byTime))).toEqual(['m5 m4', 4]);
    expect(shown(await back(byTime, 4))).toEqual(['', 4]);
  });
});

describe('from the oldest', () => {
  it('come the messages that the log keeps', async () => {
    expect(shown(await oldest(new TopicLog()))).toEqual(['', 0]);
    const log = new TopicLog();
    await publishNumbers(log, 5);
    expect(shown(await oldest(log))).toEqual(['m1 m2 m3 m4 m5', 5]);
    expect(shown(await oldest(log, 2))).toEqual(['m1 m2', 2, 'more']);
    const byNumber = new TopicLog({ messages: 3 });
    await publishNumbers(byNumber, 5);
    expect(shown(await oldest(byNumber))).toEqual(['m3 m4 m5', 5]);
  });

  it.each([1, 2, 3, 10, 199, 200])('they are found by time among 200, of which %i are kept', async (kept) => {
    const log = new TopicLog({ seconds: kept * 60 });
    await publishNumbers(log, 200, MINUTE_MS);
    log.nowMs -= 1;
    for (const clean of [false, true]) {
      if (clean) log.tables.expire(log.nowMs);
      const before = await log.contents();
      expect(ids(await oldest(log, 1))).toEqual([`m${201 - kept}`]);
      expect(await log.contents()).toEqual(before);
    }
  });

  it('nothing comes if everything is too old, and no hole is made of it', async () => {
    const log = new TopicLog({ seconds: 60 });
    await publishNumbers(log, 5);
    log.nowMs += 2 * MINUTE_MS;
    expect(shown(await oldest(log))).toEqual(['', 5]);
    log.nowMs += MARGIN_MS + HOUR_MS;
    log.tables.expire(log.nowMs);
    expect(shown(await oldest(log))).toEqual(['', 5]);
    expect(await log.contents()).toEqual(Array(5).fill(undefined));
  });

  it('they come while the oldest become too old one after the other', async () => {
    const log = new TopicLog({ seconds: 1 });
    await publishNumbers(log, 200, 10);
    // Every read takes as long as it takes for the next one to become too old.
    const deps = log.reading((step) => {
      if (step === 'before read') log.nowMs += 10;
    });
    const page = await readFromOldest(100, await log.view(), deps);
    expect(page.messages.length).toBeGreaterThan(80);
    expect(ids(page).at(-1)).toBe('m200');
  });

  it('they come although the clocks of workers differ', async () => {
    const log = new TopicLog({ seconds: 60 });
    const [fast, slow] = [log.worker(), log.worker()];
    for (const n of numbers(1, 20)) {
      log.nowMs += 5;
      await fast(log.draft(`f${n}`));
      log.nowMs -= 4;
      await slow(log.draft(`s${n}`));
    }
    const endMs = log.nowMs + MINUTE_MS;
    for (log.nowMs = endMs - 25; log.nowMs < endMs; log.nowMs += 1) {
      expect(ids(await oldest(log)).at(-1)).toBe('s20');
    }
  });
});

describe('whatever a reader asks for', () => {
  it.each<LogSettings>([{}, { pageItemsMax: 2 }, { messages: 4 }])(
    'with %j is what is in the log, once and in order',
    async (settings) => {
      const log = new TopicLog(settings);
      await publish(log, 'a', 'b');
      await leaveHoles(log);
      await publish(log, 'c');
      await leaveHoles(log, 2);
      await publish(log, 'd');
      const first = 7 - (settings.messages ?? 7);
      const expected = ['a', 'b', undefined, 'c', undefined, undefined, 'd'].slice(first).filter(Boolean);
      for (const begin of [() => oldest(log), () => since(log, first)]) {
        const read: string[] = [];
        for (let page = await begin(); ; page = await since(log, page.offset)) {
          if (typeof page === 'string') throw new Error(`expected a page, got ${page}`);
          read.push(...ids(page));
          if (!page.more) break;
        }
        expect(read).toEqual(expected);
      }
      expect(shown(await newest(log, 100))).toEqual([expected.join(' '), 7]);
      expect(ids(await back(log))).toEqual(expected.toReversed());
      expect((await log.contents()).slice(first)).not.toContain(undefined);
    },
  );
});
