import fc, { type Scheduler } from 'fast-check';
import { expect, it } from 'vitest';
import { type ReplayPage, readAfter, readBack, readFromOldest, rewind } from '../../shared/data/replay.ts';
import type { Draft } from '../../shared/data/sequence/draft.ts';
import type { Sequenced } from '../../shared/data/sequence/sequence.ts';
import type { LossReason } from '../../shared/protocol/frames.ts';
import type { MakeRequest } from '../memory/dynamodb.ts';
import { dies, redelivered, TopicLog } from '../support/topic-log.ts';

/** Whatever order the requests of workers and readers are done in, and wherever workers die. */

const ROUNDS = 300;
/**
 * `x`, `y` and `z` are messages of one publication; `k` is a key that is published anew each time; `v1` and so on have
 * versions, of which some are two messages'.
 */
const MESSAGES = ['a', 'b', 'x', 'y', 'z', 'k', 'v1', 'v2', 'w2', 'v3', 'w3'];
/** After so long a reader takes it that the worker that was about to write has died. */
const SETTLED_MS = 10_000;
const FOREVER = Number.POSITIVE_INFINITY;

/** What each worker gets, once or twice at the same time, and how many steps it lives the first time. */
const deliveries = fc.array(
  fc.record({
    ids: fc.uniqueArray(fc.constantFrom(...MESSAGES), { minLength: 1, maxLength: 4 }),
    lives: fc.oneof(fc.integer({ min: 0, max: 14 }), fc.constant(FOREVER)),
    isDoubled: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
/** What readers read, and after how many turns they begin. */
const readings = fc.array(
  fc.record({
    how: fc.constantFrom('forward', 'backward', 'rewind', 'oldest'),
    turns: fc.integer({ min: 1, max: 20 }),
  }),
  { maxLength: 4 },
);

const versionOf = (id: string | null | undefined): number | undefined => {
  const [, version] = /^[vw](\d)$/.exec(id ?? '') ?? [];
  return version === undefined ? undefined : Number(version);
};

class Race {
  readonly log = new TopicLog();
  readonly sequenced: { readonly draft: Draft; readonly result: Sequenced }[] = [];
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  turn(what: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), what).then(() => {
      this.log.nowMs += 1;
    });
  }

  draft(id: string, source: object, origin: string): Draft {
    const version = versionOf(id);
    if (version !== undefined) return this.log.draft(id, { version, origin, source });
    if (id === 'k') return this.log.keyed(id, origin, { source });
    return this.log.draft('xyz'.includes(id) ? `${id} of ${origin}` : id, { source });
  }

  /** A worker that dies leaves its messages to another one, which does not. */
  async deliver(who: string, drafts: readonly Draft[], lives: number): Promise<void> {
    try {
      const results = await this.log.worker(undefined, this.#requests(who, lives))(...drafts);
      for (const [index, draft] of drafts.entries()) {
        this.sequenced.push({ draft, result: results[index] as Sequenced });
      }
    } catch (error) {
      if (lives === FOREVER) throw error;
      await this.deliver(`${who} again`, drafts.map(redelivered), FOREVER);
    }
  }

  async read(who: string, how: string, turns: number): Promise<void> {
    for (let n = 0; n < turns; n++) await this.turn(`${who} is not there yet`);
    const wait = () => this.turn(`${who} waits`);
    const deps = { ...this.log.reading(undefined, this.#requests(who, FOREVER)), wait };
    const epoch = (await this.log.head()).epoch;
    // Each page is a request of its own, which looks for the end of the log anew.
    const back = async (before?: number) => readBack(before, 2, await this.log.view(), deps);
    const since = async (offset: number) => readAfter({ epoch, offset }, 2, await this.log.view(), deps);
    if (how === 'rewind') {
      const page = await rewind(3, await this.log.view(), deps);
      return this.expectWhole(offsetsOf(page)[0] ?? page.offset + 1, page.offset, page);
    }
    if (how === 'backward') {
      let page = await back();
      // What is on its way at the end is left to the live feed.
      for (let top = offsetsOf(page)[0] ?? page.offset - 1; ; page = await back(top + 1)) {
        await this.expectWhole(page.offset, top, { messages: page.messages.toReversed() });
        top = page.offset - 1;
        if (!page.more) return;
      }
    }
    let end = 0;
    const first = async () => readFromOldest(2, await this.log.view(), deps);
    let page: ReplayPage | LossReason = await (how === 'oldest' ? first() : since(0));
    for (; ; page = await since(end)) {
      if (typeof page === 'string') throw new Error(`expected nothing to be lost, got ${page}`);
      await this.expectWhole(end + 1, page.offset, page);
      end = page.offset;
      if (!page.more) return;
    }
  }

  /** Everything from one offset to the other is decided by now, and its messages are these. */
  async expectWhole(first: number, last: number, { messages }: Pick<ReplayPage, 'messages'>): Promise<void> {
    const covered = (await this.log.contents()).slice(first - 1, last);
    expect(covered).not.toContain(undefined);
    expect(messages.map((json) => JSON.parse(json).messageId)).toEqual(covered.filter((id) => id !== null));
  }

  /** Every request takes two turns, to be done and to be answered. Who has no life left does nothing more. */
  #requests(who: string, lives: number): MakeRequest {
    let left = lives;
    const turn = async (what: string): Promise<void> => {
      await this.turn(`${who}: ${what}`);
      if (left-- <= 0) dies();
    };
    return async ({ operation, table }, perform) => {
      await turn(`${operation} ${table}`);
      const result = perform({ lagMs: SETTLED_MS });
      await turn('answered');
      return result;
    };
  }
}

const offsetsOf = ({ messages }: ReplayPage): number[] => messages.map((json) => JSON.parse(json).offset);

async function run(
  scheduler: Scheduler,
  all: Parameters<Parameters<(typeof deliveries)['map']>[0]>[0],
  reads: Parameters<Parameters<(typeof readings)['map']>[0]>[0],
  timePasses: boolean,
): Promise<Race> {
  const race = new Race(scheduler);
  const tasks = all.flatMap(({ ids, lives, isDoubled }, index) => {
    const source = {};
    const drafts = ids.map((id) => race.draft(id, source, `publication ${index}`));
    const copies = isDoubled ? ['', ' doubled'] : [''];
    return copies.map((copy) => race.deliver(`worker ${index}${copy}`, drafts, lives));
  });
  for (const [index, { how, turns }] of reads.entries()) {
    tasks.push(race.read(`reader ${index}`, how, turns));
  }
  if (timePasses) {
    tasks.push(
      race.turn('time passes').then(() => {
        race.log.nowMs += SETTLED_MS;
      }),
    );
  }
  await scheduler.waitFor(Promise.all(tasks));
  return race;
}

it('every offset is one message or none, for everybody, and no page passes over one that is not decided', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      deliveries,
      readings,
      fc.boolean(),
      async (scheduler, all, reads, timePasses) => {
        const { log, sequenced } = await run(scheduler, all, reads, timePasses);
        log.nowMs += SETTLED_MS;
        const view = await log.view();
        const start = { epoch: view.log.epoch, offset: 0 };
        const whole = (await readAfter(start, 100, view, log.reading())) as ReplayPage;
        const contents = await log.contents();
        expect(contents).not.toContain(undefined);
        expect(whole.messages).toHaveLength(contents.filter((id) => id !== null).length);

        for (const [id, ofMessage] of Map.groupBy(sequenced, ({ draft }) => draft.message.messageId)) {
          const outcomes = ofMessage.map(({ result }) => result.outcome);
          const times = contents.filter((each) => each === id).length;
          // What is in the log is delivered by one worker; what is not was stale for all of them.
          expect([id, times, outcomes]).toEqual(
            outcomes.includes('stored') ? [id, 1, outcomes] : [id, 0, outcomes.map(() => 'stale')],
          );
        }
        for (const { draft, result } of sequenced) {
          if (result.outcome === 'stale') continue;
          expect(contents[result.entry.offset - 1]).toBe(draft.message.messageId);
        }
        for (const id of contents) {
          const [, origin] = / of (.*)/.exec(id ?? '') ?? [];
          const together = contents.filter((other) => origin && other?.endsWith(` of ${origin}`));
          const published = all[Number(origin?.split(' ')[1])]?.ids ?? [];
          expect(together).toEqual(
            published.map((each) => `${each} of ${origin}`).filter((each) => together.includes(each)),
          );
        }
        const versions = contents.flatMap((id) => versionOf(id) ?? []);
        expect(versions).toEqual([...new Set(versions)].toSorted());
        const published = all.flatMap(({ ids }) => ids.flatMap((id) => versionOf(id) ?? []));
        expect(versions.at(-1)).toBe(published.toSorted().at(-1));
      },
    ),
    { numRuns: ROUNDS },
  );
});
