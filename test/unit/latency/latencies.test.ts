import { describe, expect, it } from 'vitest';
import { withLatencies } from '../../../infra/local/latency/latencies.ts';
import { latencyAt, PROFILES, type Profile } from '../../../infra/local/latency/profiles.ts';

const AWS = { profile: 'aws', seed: 7 } as const;
const DRAWS = 20_000;

/** So many answers of a port, rising. */
const drawn = (draw: () => number | undefined): number[] =>
  Array.from({ length: DRAWS }, () => Number(draw())).sort((a, b) => a - b);

describe('a profile', () => {
  it.each(Object.values(PROFILES).flatMap((profile) => Object.entries<Profile[keyof Profile]>(profile)))(
    'has %s by percentiles that rise from 0 to 1',
    (_, percentiles) => {
      const sorted = (column: 0 | 1) => percentiles.map((each) => each[column]).toSorted((a, b) => a - b);
      expect(percentiles.map(([share]) => share)).toEqual(sorted(0));
      expect(percentiles.map(([, ms]) => ms)).toEqual(sorted(1));
      expect([percentiles[0]?.[0], percentiles.at(-1)?.[0]]).toEqual([0, 1]);
    },
  );

  it.each([
    [0, 60],
    [0.25, 104],
    [0.5, 148],
    [0.99, 387],
    [0.995, 393.5],
  ])('says how long what is at share %d takes', (share, ms) => {
    expect(latencyAt(PROFILES.aws.bus, share)).toBeCloseTo(ms, 6);
  });
});

describe('latencies', () => {
  it('come as often as their profile says', () => {
    const { tables, queues, buses, gateway } = withLatencies(AWS);
    for (const [what, draw] of Object.entries<() => number | undefined>({
      table: () => tables.delayMs?.('topics', 'GetItem'),
      bus: () => buses.copies?.('bus', 'fanwire.publish')?.[0],
      putEvents: () => buses.answerMs?.(),
      queue: () => Number(queues.fate?.('ingest')),
      management: () => gateway.management?.('POST', 'id')?.delayMs,
    })) {
      const times = drawn(draw);
      for (const [share, ms] of PROFILES.aws[what as keyof Profile]) {
        if (share > 0 && share < 0.99) expect(times[share * DRAWS], `${what} ${share}`).toBeCloseTo(ms, -1);
      }
    }
  });

  it('are the same for the same seed', () => {
    const some = (seed: number) => {
      const { tables } = withLatencies({ ...AWS, seed });
      return [1, 2, 3].map(() => tables.delayMs?.('topics', 'Query'));
    };
    expect(some(7)).toEqual(some(7));
    expect(some(7)).not.toEqual(some(8));
  });

  it('are drawn for each copy of an event', () => {
    const { buses } = withLatencies(AWS, { buses: { copies: () => [0, 0, 0] } });
    expect(new Set(buses.copies?.('bus', 'fanwire.publish')).size).toBe(3);
  });

  it('are added to what faults delay, and keep what faults do else', () => {
    const { tables, queues, buses, gateway } = withLatencies(AWS, {
      tables: { throttle: () => 'ThrottlingException', delayMs: () => 1_000 },
      queues: { next: () => 3, fate: () => 'twice' },
      buses: { copies: () => [0, 5_000], answerMs: () => 1_000 },
      gateway: { management: () => ({ outcome: 429, delayMs: 1_000 }), disconnect: () => 'never' },
    });
    expect(tables.throttle?.('topics', 'Query')).toBe('ThrottlingException');
    expect(tables.delayMs?.('topics', 'Query')).toBeGreaterThan(1_000);
    expect([queues.next?.('ingest', 5), queues.fate?.('ingest')]).toEqual([3, 'twice']);
    const [first = 0, second = 0] = buses.copies?.('bus', 'fanwire.publish') ?? [];
    expect([first > 0, first < 5_000, second > 5_000]).toEqual([true, true, true]);
    expect(buses.answerMs?.()).toBeGreaterThan(1_000);
    const late = withLatencies(AWS, { queues: { fate: () => 1_000 } });
    expect(late.queues.fate?.('ingest')).toBeGreaterThan(1_000);
    const answer = gateway.management?.('POST', 'id');
    expect([answer?.outcome, Number(answer?.delayMs) > 1_000]).toEqual([429, true]);
    expect(gateway.disconnect?.('id')).toBe('never');
  });
});
