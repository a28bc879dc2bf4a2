import { describe, expect, it } from 'vitest';
import { HEAD_TTL_SECONDS } from '../../shared/data/heads.ts';
import { entryJson } from '../../shared/data/log.ts';
import { readAfter } from '../../shared/data/replay.ts';
import type { Draft } from '../../shared/data/sequence/draft.ts';
import { KEY_WINDOW_MS } from '../../shared/protocol/frames.ts';
import { type AtStep, dies, once, outcomes, redelivered, type Step, TopicLog } from '../support/topic-log.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FIVE_MINUTES_MS = 5 * MINUTE_MS;

/** Reads everything, which decides what is not decided. */
async function readAll(log: TopicLog): Promise<unknown> {
  const view = await log.view();
  return readAfter({ epoch: view.log.epoch, offset: 0 }, 100, view, log.reading());
}

/** A worker that dies there, with this message. */
async function killed(log: TopicLog, at: Step, draft = log.draft('a')): Promise<void> {
  await expect(log.worker(once(at, dies))(draft)).rejects.toThrow('got killed');
}

describe('messages', () => {
  it('get offsets from 1 in their order, and are in the log with them', async () => {
    const log = new TopicLog();
    const drafts = ['a', 'b', 'c'].map((id) => log.draft(id));
    const sequenced = await log.publish(...drafts);
    expect(outcomes(sequenced)).toEqual(['stored 1', 'stored 2', 'stored 3']);
    expect(outcomes(await log.publish(log.draft('d')))).toEqual(['stored 4']);
    expect(await log.contents()).toEqual(['a', 'b', 'c', 'd']);
    const [, second] = sequenced;
    const entry = await log.logs().entry(await log.log(), 2);
    expect(second).toMatchObject({ epoch: 'epoch-1', entry });
    expect(entry?.json).toBe(entryJson(log.draft('b').message, 2));
  });

  it('keep which connections do not get them, and when they expire', async () => {
    const log = new TopicLog();
    const expiresAtMs = log.nowMs + 5;
    await log.publish(log.draft('a', { except: ['x', 'y'], expiresAtMs }), log.draft('b', { except: [] }));
    const read = await log.logs().read(await log.log(), { from: 1, limit: 2 });
    expect(read[0]).toMatchObject({ except: ['x', 'y'], expiresAtMs });
    expect(read[1]).not.toHaveProperty('except');
  });

  it('say when the offset below theirs was taken', async () => {
    const log = new TopicLog();
    await log.publish(log.draft('a'));
    const firstAtMs = log.nowMs;
    log.nowMs += 7;
    await log.publish(log.draft('b'), log.draft('c'));
    const read = await log.logs().read(await log.log(), { from: 2, limit: 2 });
    expect(read.map(({ previousAtMs }) => previousAtMs)).toEqual([firstAtMs, log.nowMs]);
  });

  it('with the same id in a batch are one', async () => {
    const log = new TopicLog();
    const drafts = [log.draft('a'), log.keyed('k', 'one'), log.draft('a'), log.keyed('k', 'two')];
    expect(outcomes(await log.publish(...drafts))).toEqual([
      'stored 1',
      'stored 2',
      'repeated 1',
      'repeated 2',
    ]);
    expect(await log.contents()).toEqual(['a', 'k']);
  });

  it('of topics that are not the same know nothing of each other', async () => {
    const log = new TopicLog();
    const other = log.logs();
    const { epoch } = await other.open('chat/other' as never, 'epoch-of-other');
    expect(await other.allocate({ topic: 'chat/other' as never, epoch }, 5)).toMatchObject({ first: 1 });
    expect(outcomes(await log.publish(log.draft('a')))).toEqual(['stored 1']);
  });
});

describe('a worker that dies', () => {
  it.each<[Step, (string | null | undefined)[], string]>([
    ['before allocate', ['b', 'a'], 'stored 2'],
    ['after allocate', [undefined, 'b', 'a'], 'stored 3'],
    ['before claim', [undefined, 'b', 'a'], 'stored 3'],
    ['after claim', ['a', 'b'], 'stored 1'],
    ['before write', ['a', 'b'], 'stored 1'],
    ['after write', ['a', 'b'], 'stored 1'],
  ])('%s leaves %j, once the message has come again', async (at, contents, outcome) => {
    const log = new TopicLog();
    const draft = log.draft('a');
    await killed(log, at, draft);
    await log.publish(log.draft('b'));
    // `stored`, so that this worker delivers it: how far the dead one got is not known.
    expect(outcomes(await log.publish(redelivered(draft)))).toEqual([outcome]);
    expect(outcomes(await log.publish(redelivered(draft)))).toEqual([outcome]);
    expect(await log.contents()).toEqual(contents);
  });

  it('after it has allocated leaves a hole that a reader fills, and the message comes after', async () => {
    const log = new TopicLog();
    const draft = log.draft('a');
    await killed(log, 'after allocate', draft);
    log.nowMs += MINUTE_MS;
    await readAll(log);
    expect(await log.contents()).toEqual([null]);
    expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 2']);
    expect(await log.contents()).toEqual([null, 'a']);
  });

  it('after it has claimed loses the offset to a reader that does not wait so long', async () => {
    const log = new TopicLog();
    const draft = log.draft('a');
    await killed(log, 'after claim', draft);
    log.nowMs += MINUTE_MS;
    await readAll(log);
    for (let times = 0; times < 2; times++) {
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 2']);
    }
    expect(await log.contents()).toEqual([null, 'a']);
  });

  it('in the middle of a batch leaves every message its place', async () => {
    const log = new TopicLog();
    const drafts = ['a', 'b', 'c'].map((id) => log.draft(id));
    let claims = 0;
    const atStep: AtStep = (step) => (step === 'after claim' && ++claims === 2 ? dies() : undefined);
    await expect(log.worker(atStep)(...drafts)).rejects.toThrow('got killed');
    expect(outcomes(await log.publish(...drafts.map(redelivered)))).toEqual(
      [1, 2, 3].map((offset) => `stored ${offset}`),
    );
    expect(await log.contents()).toEqual(['a', 'b', 'c']);
  });
});

describe('a slow worker', () => {
  it('that a reader did not wait for takes another offset', async () => {
    const log = new TopicLog();
    const slow = log.worker(
      once('before write', async () => {
        await log.publish(log.draft('b'));
        await readAll(log);
      }),
    );
    expect(outcomes(await slow(log.draft('a')))).toEqual(['stored 3']);
    expect(await log.contents()).toEqual([null, 'b', 'a']);
    expect(outcomes(await log.publish(redelivered(log.draft('a'))))).toEqual(['stored 3']);
  });

  it('that is always overtaken gives up, and leaves the message to the next try', async () => {
    const log = new TopicLog();
    const always: AtStep = async (step) => {
      if (step !== 'before write') return;
      log.nowMs += MINUTE_MS;
      await readAll(log);
    };
    const draft = log.draft('a');
    await expect(log.worker(always)(draft)).rejects.toThrow(
      'expected to settle message a in 8 tries, got overtaken each time',
    );
    expect(await log.contents()).toEqual([...Array(7).fill(null), undefined]);
    expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 8']);
  });

  it('whose message comes again meanwhile agrees with the other one about its offset', async () => {
    const log = new TopicLog();
    const draft = log.draft('a');
    for (const at of ['after allocate', 'after claim', 'before write'] as const) {
      const fast: string[] = [];
      const slow = log.worker(
        once(at, async () => fast.push(...outcomes(await log.publish(redelivered(draft))))),
      );
      expect(outcomes(await slow(draft))).toEqual(fast);
    }
    expect((await log.contents()).filter((id) => id !== null)).toEqual(['a']);
  });

  it('whose claim was taken without an answer goes on with it', async () => {
    const log = new TopicLog();
    // The SDK tries again, and its condition fails: the first try was done.
    const worker = log.worker(
      once('before claim', async () => {
        const atMs = log.nowMs;
        await log.logs().claim(await log.log(), 'a', { offset: 1, origin: 'a', acceptedAtMs: atMs, atMs });
      }),
    );
    const sequenced = await worker(log.draft('a'));
    expect(outcomes(sequenced)).toEqual(['stored 1']);
    expect(sequenced[0]).not.toHaveProperty('unused');
    expect(await log.contents()).toEqual(['a']);
  });

  it('that cannot write one message of a batch loses none of them', async () => {
    const log = new TopicLog();
    const drafts = ['a', 'b', 'c'].map((id) => log.draft(id));
    const worker = log.worker(once('before write', dies));
    await expect(worker(...drafts)).rejects.toThrow();
    expect(await log.contents()).toEqual([undefined, 'b', 'c']);
    expect(outcomes(await worker(...drafts.map(redelivered)))).toEqual(['stored 1', 'stored 2', 'stored 3']);
  });
});

describe('messages of one source', () => {
  const together = (log: TopicLog, ...ids: string[]) => {
    const source = {};
    return ids.map((id) => log.draft(id, { source }));
  };
  const decidedBy = (log: TopicLog, after: number) => {
    let writes = 0;
    return log.worker(async (step) => {
      if (step !== 'before write' || ++writes !== after) return;
      log.nowMs += MINUTE_MS;
      await readAll(log);
    });
  };

  it.each([
    [1, [null, null, null, 'a', 'b', 'c']],
    [2, ['a', null, null, 'b', 'c']],
    [3, ['a', 'b', null, 'c']],
  ])('keep their order though a reader does not wait for number %i', async (number, contents) => {
    const log = new TopicLog();
    await decidedBy(log, number)(...together(log, 'a', 'b', 'c'));
    expect(await log.contents()).toEqual(contents);
  });

  it('keep it when they come again and the first has lost its offset meanwhile', async () => {
    const log = new TopicLog();
    const drafts = together(log, 'a', 'b');
    const worker = log.worker(once('before write', dies));
    await expect(worker(...drafts)).rejects.toThrow('got killed');
    const { epoch } = await log.head();
    // A reader that saw no further than the first offset.
    await log.logs().write({ topic: log.topic, epoch }, { offset: 1, atMs: log.nowMs }, 60);
    expect(outcomes(await log.publish(...drafts.map(redelivered)))).toEqual(['stored 3', 'stored 4']);
    expect(await log.contents()).toEqual([null, null, 'a', 'b']);
  });

  it('leave no hole where one of them has to go above an offset that it has not claimed yet', async () => {
    const log = new TopicLog();
    await killed(log, 'after claim', log.keyed('k', 'dead'));
    const tombstone = async () => log.logs().write(await log.log(), { offset: 2, atMs: log.nowMs }, 60);
    const [a] = together(log, 'a');
    // The claim of the dead worker is found only once an offset is allocated for the message.
    const k = log.keyed('k', 'alive', { mayBeRepeated: false, source: a?.source ?? {} });
    const sequenced = await log.worker(once('before write', tombstone))(a as Draft, k);
    expect(outcomes(sequenced)).toEqual(['stored 4', 'stored 5']);
    expect(await log.contents()).toEqual([null, null, null, 'a', 'k']);
  });

  it('are not held up by a message of another one', async () => {
    const log = new TopicLog();
    const [a, b] = [log.draft('a'), log.draft('b')];
    const worker = log.worker(
      once('before write', async () => {
        log.nowMs += MINUTE_MS;
        await log.logs().write(await log.log(), { offset: 1, atMs: log.nowMs }, 60);
      }),
    );
    expect(outcomes(await worker(a, b))).toEqual(['stored 3', 'stored 2']);
  });
});

describe('a message that cannot come again', () => {
  it('claims nothing', async () => {
    const log = new TopicLog();
    const draft = log.draft('a', { needsClaim: false });
    const steps: Step[] = [];
    await log.worker((step) => steps.push(step))(draft);
    expect(steps.filter((step) => step.startsWith('before'))).toEqual([
      'before open',
      'before allocate',
      'before write',
    ]);
    expect(await log.contents()).toEqual(['a']);
  });

  it('takes another offset when a reader did not wait for it', async () => {
    const log = new TopicLog();
    const slow = log.worker(
      once('before write', async () => {
        log.nowMs += MINUTE_MS;
        await readAll(log);
      }),
    );
    expect(outcomes(await slow(log.draft('a', { needsClaim: false })))).toEqual(['stored 2']);
    expect(await log.contents()).toEqual([null, 'a']);
  });

  it('is stale if there was a newer version', async () => {
    const log = new TopicLog();
    const versioned = (version: number) => log.draft(`v${version}`, { version, needsClaim: false });
    await log.publish(versioned(2));
    expect(outcomes(await log.publish(versioned(1)))).toEqual(['stale']);
    expect(outcomes(await log.publish(versioned(3)))).toEqual(['stored 2']);
  });
});

describe('a key', () => {
  it('is one message within five minutes, whoever publishes it, and another one after', async () => {
    const log = new TopicLog();
    expect(KEY_WINDOW_MS).toBe(FIVE_MINUTES_MS);
    expect(outcomes(await log.publish(log.keyed('k', 'one')))).toEqual(['stored 1']);
    log.nowMs += FIVE_MINUTES_MS;
    expect(outcomes(await log.publish(log.keyed('k', 'two')))).toEqual(['repeated 1']);
    log.nowMs += 1;
    expect(outcomes(await log.publish(log.keyed('k', 'three')))).toEqual(['stored 2']);
    log.nowMs += FIVE_MINUTES_MS;
    expect(outcomes(await log.publish(log.keyed('k', 'four')))).toEqual(['repeated 2']);
    expect(await log.contents()).toEqual(['k', 'k']);
  });

  it('is the same message when it comes again after nine minutes: it was published when it was', async () => {
    const log = new TopicLog();
    const draft = log.keyed('k', 'one');
    await killed(log, 'after write', draft);
    log.nowMs += 9 * MINUTE_MS;
    expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 1']);
    expect(await log.contents()).toEqual(['k']);
  });

  it('that comes late is never newer than one published after it', async () => {
    const log = new TopicLog();
    const late = log.keyed('k', 'one');
    log.nowMs += 6 * MINUTE_MS;
    await log.publish(log.keyed('k', 'two'));
    expect(outcomes(await log.publish(late))).toEqual(['repeated 1']);
    expect(await log.contents()).toEqual(['k']);
  });

  it('is two messages if it was published twice, far apart, and a queue brings both at once', async () => {
    const log = new TopicLog();
    const [one, retry, other] = [log.keyed('k', 'one'), log.keyed('k', 'retry'), log.draft('a')];
    log.nowMs += FIVE_MINUTES_MS + 1;
    const two = log.keyed('k', 'two');
    expect(outcomes(await log.publish(one, two, retry, other))).toEqual([
      'stored 1',
      'stored 3',
      'repeated 1',
      'stored 2',
    ]);
    expect(outcomes(await log.publish(redelivered(one), redelivered(two)))).toEqual([
      'repeated 3',
      'stored 3',
    ]);
  });

  it('is one message of however many workers have it at the same time, and all agree', async () => {
    const STEPS = [
      'after claims',
      'after allocate',
      'before claim',
      'after claim',
      'before write',
      'after write',
    ];
    for (const at of STEPS as Step[]) {
      const log = new TopicLog();
      const other: string[] = [];
      const slow = log.worker(
        once(at, async () => other.push(...outcomes(await log.publish(log.keyed('k', 'fast'))))),
      );
      const own = outcomes(await slow(log.keyed('k', 'slow')));
      const all = [...own, ...other].map((each) => each.split(' '));
      expect([at, all.map(([outcome]) => outcome).sort()]).toEqual([at, ['repeated', 'stored']]);
      expect(new Set(all.map(([, offset]) => offset)).size).toBe(1);
      expect((await log.contents()).filter((id) => id === 'k')).toHaveLength(1);
    }
  });

  it('leaves no hole where it was about to be stored a second time', async () => {
    const log = new TopicLog();
    const slow = log.worker(once('after allocate', () => log.publish(log.keyed('k', 'fast'))));
    const sequenced = await slow(log.keyed('k', 'slow'), log.keyed('k', 'slower'));
    expect(sequenced).toMatchObject([{ outcome: 'repeated', unused: 1 }, { outcome: 'repeated' }]);
    expect(sequenced[1]).not.toHaveProperty('unused');
    expect(await log.contents()).toEqual([null, 'k']);
  });

  it('whose message is still being written takes its place from a worker that has died', async () => {
    const log = new TopicLog();
    await killed(log, 'after claim', log.keyed('k', 'dead'));
    expect(outcomes(await log.publish(log.keyed('k', 'alive')))).toEqual(['stored 2']);
    expect(outcomes(await log.publish(log.keyed('k', 'dead')))).toEqual(['repeated 2']);
    expect(await log.contents()).toEqual([null, 'k']);
  });
});

describe('a message that comes again', () => {
  it('after its entry has expired is where it was all the same', async () => {
    const log = new TopicLog({ seconds: 1 });
    const draft = log.draft('a');
    await log.publish(draft);
    log.nowMs += 5 * HOUR_MS;
    // TTL deletes late.
    for (const sweep of [false, true]) {
      if (sweep) log.tables.expire(log.nowMs);
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 1']);
    }
    expect((await log.head()).offset).toBe(1);
  });
});

describe('a version', () => {
  const versioned = (log: TopicLog, id: string, version: number) => log.draft(id, { version });

  it('that is not above all before it is stale', async () => {
    const log = new TopicLog();
    const publish = async (id: string, version: number) =>
      outcomes(await log.publish(versioned(log, id, version)));
    expect(await publish('five', 5)).toEqual(['stored 1']);
    expect(await publish('five again', 5)).toEqual(['stale']);
    expect(await publish('four', 4)).toEqual(['stale']);
    expect(await publish('seven', 7)).toEqual(['stored 2']);
    expect(await log.contents()).toEqual(['five', 'seven']);
  });

  it('is the newest when it resets the versions, whatever there was, and those after it count from there', async () => {
    const log = new TopicLog();
    const publish = async (id: string, version: number, more: object = {}) =>
      outcomes(await log.publish(log.draft(id, { version, ...more })));
    await publish('mistake', Number.MAX_SAFE_INTEGER);
    expect(await publish('eight', 8)).toEqual(['stale']);
    expect(await publish('five', 5, { resets: true })).toEqual(['stored 2']);
    expect(await publish('five again', 5)).toEqual(['stale']);
    expect(await publish('six', 6)).toEqual(['stored 3']);
    // Nothing is wrong with one that is the newest anyway.
    expect(await publish('seven', 7, { resets: true })).toEqual(['stored 4']);
  });

  it('that resets and comes twice does so once', async () => {
    const log = new TopicLog();
    const draft = log.draft('five', { version: 5, resets: true, mayBeRepeated: true });
    await log.publish(draft);
    await log.publish(versioned(log, 'six', 6));
    expect(outcomes(await log.publish(draft))).toEqual(['stored 1']);
    expect(outcomes(await log.publish(versioned(log, 'another six', 6)))).toEqual(['stale']);
  });

  it('is compared with those before it in its batch, and with none of the messages that have none', async () => {
    const log = new TopicLog();
    const drafts = [versioned(log, 'b', 2), log.draft('x'), versioned(log, 'a', 1), versioned(log, 'c', 3)];
    expect(outcomes(await log.publish(...drafts))).toEqual(['stored 1', 'stored 2', 'stale', 'stored 3']);
    expect(await log.contents()).toEqual(['b', 'x', 'c']);
  });

  it.each<Step>(['after allocateVersion', 'after claim', 'after write'])(
    'that comes again after its worker died %s is not lost',
    async (at) => {
      const log = new TopicLog();
      const draft = versioned(log, 'five', 5);
      await killed(log, at, draft);
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stored 1']);
      expect(outcomes(await log.publish(versioned(log, 'another five', 5)))).toEqual(['stale']);
    },
  );

  it.each<Step>(['after allocateVersion', 'after claim'])(
    'whose worker died %s is free for another message',
    async (at) => {
      const log = new TopicLog();
      const draft = versioned(log, 'five', 5);
      await killed(log, at, draft);
      expect(outcomes(await log.publish(versioned(log, 'another five', 5)))).toEqual(['stored 2']);
      // And no message's but that one's from then on.
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual(['stale']);
      expect(outcomes(await log.publish(versioned(log, 'a third five', 5)))).toEqual(['stale']);
      expect(await log.contents()).toEqual([null, 'another five']);
    },
  );

  it('that two messages took, and both of their workers died, is that one’s which comes again first', async () => {
    const log = new TopicLog();
    const drafts = [versioned(log, 'one', 5), versioned(log, 'two', 5)];
    for (const draft of drafts) await killed(log, 'after claim', draft);
    const published = [];
    for (const draft of drafts) published.push(...outcomes(await log.publish(redelivered(draft))));
    expect(published).toEqual(['stored 3', 'stale']);
    expect(await log.contents()).toEqual([null, null, 'one']);
  });

  it.each<Step>(['before claim', 'after claim', 'before write'])(
    'of two messages at the same time is that one’s which is in the log first (%s)',
    async (at) => {
      const log = new TopicLog();
      const other: string[] = [];
      const slow = log.worker(
        once(at, async () => {
          other.push(...outcomes(await log.publish(versioned(log, 'fast', 5))));
        }),
      );
      expect(outcomes(await slow(versioned(log, 'slow', 5)))).toEqual(['stale']);
      expect(other).toEqual(['stored 2']);
      expect(await log.contents()).toEqual([null, 'fast']);
    },
  );

  it('of two messages in one batch is the first one’s', async () => {
    const log = new TopicLog();
    const drafts = [versioned(log, 'first', 5), versioned(log, 'second', 5)];
    expect(outcomes(await log.publish(...drafts))).toEqual(['stored 1', 'stale']);
  });

  it('is taken for stored once that may have been forgotten', async () => {
    const log = new TopicLog({ seconds: 1 });
    await log.publish(versioned(log, 'five', 5));
    log.nowMs += 5 * HOUR_MS;
    log.tables.expire(log.nowMs);
    expect(outcomes(await log.publish(versioned(log, 'another five', 5)))).toEqual(['stale']);
    expect((await log.head()).offset).toBe(1);
  });

  it('that older code took is its message’s, though that left where another one was taken', async () => {
    const log = new TopicLog();
    await killed(log, 'after allocateVersion', versioned(log, 'five', 5));
    log.nowMs += 1;
    await log.updateHead('SET version = :six, versionOf = :id, versionAt = :nowMs', {
      ':six': { N: '6' },
      ':id': { S: 'six' },
    });
    expect(outcomes(await log.publish(versioned(log, 'another six', 6)))).toEqual(['stale']);
  });

  it('that older code has stored elsewhere, for a message that died here, is not free', async () => {
    const log = new TopicLog();
    await killed(log, 'after allocateVersion', versioned(log, 'five', 5));
    log.nowMs += 1;
    await log.updateHead('SET #offset = #offset + :one, allocatedAt = :nowMs', { ':one': { N: '1' } });
    const [topicLog, { message }] = [await log.log(), log.draft('five')];
    const stored = { offset: 2, origin: 'five', acceptedAtMs: log.nowMs, atMs: log.nowMs };
    await log.logs().claim(topicLog, 'five', stored);
    await log.logs().write(topicLog, { ...stored, json: entryJson(message, 2) }, 60);
    expect(outcomes(await log.publish(versioned(log, 'another five', 5)))).toEqual(['stale']);
  });

  it('that comes again two hours after its worker died is not lost, whether somebody has read the log or not', async () => {
    for (const [reads, outcome] of [
      [false, 'stored 1'],
      [true, 'stored 2'],
    ] as const) {
      const log = new TopicLog();
      const draft = versioned(log, 'five', 5);
      await killed(log, 'after allocateVersion', draft);
      log.nowMs += MINUTE_MS;
      if (reads) await readAll(log);
      log.nowMs += 2 * HOUR_MS;
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual([outcome]);
    }
  });

  it('that comes again when there is a newer one is where it was, or stale if it was nowhere', async () => {
    for (const [at, outcome] of [
      ['after allocateVersion', 'stale'],
      ['after claim', 'stored 1'],
    ] as const) {
      const log = new TopicLog();
      const draft = versioned(log, 'five', 5);
      await killed(log, at, draft);
      await log.publish(versioned(log, 'six', 6));
      expect(outcomes(await log.publish(redelivered(draft)))).toEqual([outcome]);
    }
  });

  it('that a reader did not wait for is stale if there is a newer one by then', async () => {
    const log = new TopicLog();
    const slow = log.worker(
      once('before write', async () => {
        await log.publish(versioned(log, 'six', 6));
        await readAll(log);
      }),
    );
    expect(outcomes(await slow(versioned(log, 'five', 5)))).toEqual(['stale']);
    expect(await log.contents()).toEqual([null, 'six']);
  });

  it('that comes twice is not stale the second time, though there is a newer one', async () => {
    const log = new TopicLog();
    const draft = versioned(log, 'five', 5);
    await log.publish(draft);
    await log.publish(versioned(log, 'six', 6));
    // The bus delivers at least once: nothing tells the two apart.
    expect(outcomes(await log.publish(draft))).toEqual(['stored 1']);
    expect(await log.contents()).toEqual(['five', 'six']);
  });

  it('never goes back, not with the key of the newest either', async () => {
    const log = new TopicLog();
    const published: string[] = [];
    for (const version of [5, 4, 5, 6]) {
      const draft = log.keyed('k', `version ${version}, at ${log.nowMs}`, { version });
      published.push(...outcomes(await log.publish(draft)));
      log.nowMs += 2 * FIVE_MINUTES_MS;
    }
    expect(published).toEqual(['stored 1', 'stale', 'stale', 'stored 2']);
  });

  it('is the same message’s for 5 minutes since that was accepted, whatever its publisher’s clock says', async () => {
    const log = new TopicLog();
    const published: string[] = [];
    for (const offMs of [HOUR_MS, 0, 3 * HOUR_MS]) {
      const { message } = log.keyed('k', 'one');
      const publishedAt = new Date(log.nowMs + offMs).toISOString();
      const draft = log.keyed('k', `at ${log.nowMs}`, { version: 5, message: { ...message, publishedAt } });
      // The first takes its offset, and dies.
      if (offMs === HOUR_MS) await killed(log, 'after allocateVersion', draft);
      else published.push(...outcomes(await log.publish(draft)));
      log.nowMs += FIVE_MINUTES_MS;
    }
    expect(published).toEqual(['stored 1', 'repeated 1']);
  });

  it('that was dropped stays so for all with the same key, within five minutes', async () => {
    const log = new TopicLog();
    await log.publish(versioned(log, 'other', 5));
    const keyed = (origin: string, version: number) => log.keyed('k', origin, { version });
    expect(outcomes(await log.publish(keyed('one', 4)))).toEqual(['stale']);
    expect(outcomes(await log.publish(keyed('two', 6)))).toEqual(['stale']);
    log.nowMs += FIVE_MINUTES_MS + 1;
    expect(outcomes(await log.publish(keyed('three', 6)))).toEqual(['stored 2']);
  });

  it('that was dropped is stored as a claim of offset 0, which no message has', async () => {
    const log = new TopicLog();
    await log.publish(versioned(log, 'two', 2), versioned(log, 'one', 1));
    const claimed = log.tables.items('messages').map((item) => [item.messageId?.S, item.claimed?.N]);
    expect(claimed.filter(([id]) => id !== undefined)).toEqual([
      ['two', '1'],
      ['one', '0'],
    ]);
  });
});

describe('a log', () => {
  const FORGOTTEN_MS = (HEAD_TTL_SECONDS + 1) * 1000;

  it('that has been replaced is left by a worker that knew it', async () => {
    const log = new TopicLog();
    const old = log.worker();
    await old(log.draft('a'));
    log.nowMs += FORGOTTEN_MS;
    await log.publish(log.draft('b'));
    for (const [id, offset] of [
      ['c', 2],
      ['d', 3],
    ] as const) {
      const [sequenced] = await old(log.draft(id));
      expect(sequenced).toMatchObject({ outcome: 'stored', epoch: 'epoch-2', entry: { offset } });
    }
    expect(await log.contents()).toEqual(['b', 'c', 'd']);
  });

  it('that has been forgotten begins anew, versions too', async () => {
    const log = new TopicLog();
    const worker = log.worker();
    await worker(log.draft('five', { version: 5 }));
    log.nowMs += FORGOTTEN_MS;
    expect(outcomes(await worker(log.draft('one', { version: 1 })))).toEqual(['stored 1']);
  });

  it('is the topic’s up to the last moment, and not a moment longer', async () => {
    for (const [laterMs, epoch] of [
      [-1, 'epoch-1'],
      [0, 'epoch-2'],
    ] as const) {
      for (const startMs of [0, 300]) {
        const log = new TopicLog();
        log.nowMs += startMs;
        const worker = log.worker();
        await worker(log.draft('a', { version: 1 }));
        log.nowMs = Math.ceil(log.nowMs / 1000) * 1000 + HEAD_TTL_SECONDS * 1000 + laterMs;
        const [sequenced] = await worker(log.draft('b', { version: 2 }));
        expect(sequenced).toMatchObject({ outcome: 'stored', epoch });
      }
    }
  });

  it('that is replaced again and again is given up', async () => {
    const log = new TopicLog();
    const always: AtStep = (step) => {
      if (step === 'after open') log.nowMs += FORGOTTEN_MS;
    };
    await expect(log.worker(always)(log.draft('a'))).rejects.toThrow(
      'expected the log of chat/lobby to stay the same, got a new one 8 times',
    );
  });
});

describe('a last value', () => {
  const lastOf = async (log: TopicLog) => {
    const json = (await log.logs().last(await log.log()))?.json;
    return json && JSON.parse(json).messageId;
  };

  it('is the newest message, whichever worker is done last', async () => {
    const log = new TopicLog({ lastValue: true });
    await log.publish(log.draft('a'), log.draft('b'));
    expect(await lastOf(log)).toBe('b');
    const slow = log.worker(once('before putLast', () => log.publish(log.draft('d'))));
    await slow(log.draft('c'));
    expect(await log.contents()).toEqual(['a', 'b', 'c', 'd']);
    expect(await lastOf(log)).toBe('d');
  });

  it('is the newest of a batch, whatever order its messages got their offsets in', async () => {
    const log = new TopicLog({ lastValue: true });
    const tombstone = async () => log.logs().write(await log.log(), { offset: 1, atMs: log.nowMs }, 60);
    await log.worker(once('before write', tombstone))(log.draft('a'), log.draft('b'));
    expect(await log.contents()).toEqual([null, 'b', 'a']);
    expect(await lastOf(log)).toBe('a');
  });

  it('comes with the message when that comes again', async () => {
    const log = new TopicLog({ lastValue: true });
    const draft = log.draft('a');
    await killed(log, 'before putLast', draft);
    expect(await lastOf(log)).toBeUndefined();
    await log.publish(redelivered(draft));
    expect(await lastOf(log)).toBe('a');
  });

  it('is not kept unless the namespace says so', async () => {
    const log = new TopicLog();
    await log.publish(log.draft('a'));
    expect(await lastOf(log)).toBeUndefined();
  });
});
