import { describe, expect, it } from 'vitest';
import { parseRequest } from '../../infra/cli/arguments.ts';
import { digits, reportAlternatives, reportBill, table } from '../../infra/cli/report.ts';
import { parseUsage } from '../../infra/cli/usage.ts';
import { alternativesTo } from '../../infra/model/alternatives.ts';
import { costOf } from '../../infra/model/bill.ts';
import { dollarsFor, PRICES } from '../../infra/model/prices.ts';
import { type Scenario, usageOf, workOf } from '../../infra/model/scenario.ts';
import { STAGES } from '../../infra/model/stages.ts';

const scenario = (changes: Partial<Scenario> = {}): Scenario => ({
  ...{ subscribers: 1_000, topics: 1, rate: 1, bytes: 200, coalesced: 1, seconds: 3_600 },
  connectionMinutes: 60,
  ...changes,
});
const billOf = (changes: Partial<Scenario> = {}) =>
  costOf(usageOf(scenario(changes)), PRICES, workOf(scenario(changes)).deliveries);
const perMillion = (changes: Partial<Scenario> = {}) => billOf(changes).dollarsPerMillionDeliveries;

describe('prices', () => {
  it('fall with the volume of a month, each unit at the price of its tier', () => {
    expect(dollarsFor(PRICES.apiMessages, 1e6)).toBeCloseTo(1, 9);
    expect(dollarsFor(PRICES.apiMessages, 1.5e9)).toBeCloseTo(1_000 + 400, 6);
    expect(dollarsFor(PRICES.apiMessages, 0)).toBe(0);
  });

  it('each have a source, and say how they were checked', () => {
    for (const { source, checked, tiers } of Object.values(PRICES)) {
      expect(source).toMatch(/^https:\/\/aws\.amazon\.com\//);
      expect(checked).not.toBe('');
      expect(tiers.at(-1)?.upTo).toBe(Number.POSITIVE_INFINITY);
    }
  });
});

describe("a delivered message, against API Gateway's own price of a dollar a million", () => {
  it('costs at most 1.05 of it at 1,000 subscribers', () => {
    expect(perMillion()).toBeLessThanOrEqual(1.05);
    expect(perMillion()).toBeGreaterThan(1);
  });

  it('costs at most 0.2 of it when ten go out in one frame', () => {
    expect(perMillion({ coalesced: 10, rate: 10 })).toBeLessThanOrEqual(0.2);
  });

  it('costs the same within 10 % from 100 to 100,000 subscribers', () => {
    // Few enough messages that no tier is reached: volume discounts are not what this is about.
    const costs = [100, 1_000, 1_001, 2_000, 5_000, 5_001, 10_000, 100_000].map((subscribers) =>
      perMillion({ subscribers, seconds: 600 }),
    );
    expect(Math.max(...costs) / Math.min(...costs)).toBeLessThanOrEqual(1.1);
  });

  it('costs more frames once coalesced messages do not fit one', () => {
    expect(workOf(scenario({ coalesced: 10, bytes: 10_000 })).posts).toBe(360 * 1_000 * 4);
    expect(workOf(scenario({ bytes: 33 * 1024 })).posts).toBe(3_600 * 1_000 * 2);
  });
});

describe('a bill', () => {
  it('has every dollar of its stages in its lines, and knows every resource', () => {
    const { lines, dollars, byStage } = billOf();
    const inLines = lines.reduce((sum, line) => sum + line.dollars, 0);
    const inStages = STAGES.reduce((sum, stage) => sum + byStage[stage], 0);
    expect(inLines).toBeCloseTo(dollars, 9);
    expect(inStages).toBeCloseTo(dollars, 9);
    expect(byStage.other).toBe(0);
  });

  it('grows with connection minutes by their price alone', () => {
    const [one, two] = [billOf({ connectionMinutes: 0 }), billOf({ connectionMinutes: 1_000 })];
    expect(two.dollars - one.dollars).toBeCloseTo(0.25, 9);
  });

  it('has three writes for a small message that is kept, and more for a large one', () => {
    const writes = (changes: Partial<Scenario>) =>
      Object.values(usageOf(scenario(changes)).tables)
        .flatMap((operations) => Object.values(operations))
        .reduce((sum, { writeUnits }) => sum + writeUnits, 0) / 3_600;
    expect(writes({ history: true }) - writes({})).toBeCloseTo(3, 9);
    const large = { bytes: 10_000 };
    expect(writes({ ...large, history: true }) - writes(large)).toBeCloseTo(13, 9);
    // Offsets of a batch are allocated together, unless clients publish: theirs come one by one, and have keys.
    const ten = { coalesced: 10, history: true };
    expect(writes(ten) - writes({ coalesced: 10 })).toBeCloseTo(2.1, 9);
    expect(writes({ ...ten, byClients: true }) - writes({ coalesced: 10 })).toBeCloseTo(4, 9);
  });

  it('asks an authorizer of each handshake', () => {
    const { authorize, connect } = usageOf(scenario()).functions;
    expect([authorize?.invocations, connect?.invocations]).toEqual([1_000, 1_000]);
    expect(billOf().lines.filter(({ resource }) => resource === 'authorize')).not.toEqual([]);
  });

  it('has a frame, an answer and an invocation more for what clients publish', () => {
    const { stages, functions } = usageOf(scenario({ byClients: true }));
    const before = usageOf(scenario());
    expect(stages.prod?.messagesIn).toBe(Number(before.stages.prod?.messagesIn) + 3_600);
    expect(stages.prod?.replies).toBe(Number(before.stages.prod?.replies) + 3_600);
    expect([functions.publish?.invocations, before.functions.publish]).toEqual([3_600, undefined]);
  });

  it('takes the posts for deliveries unless it is told', () => {
    const usage = usageOf(scenario({ coalesced: 10 }));
    expect(costOf(usage, PRICES).deliveries).toBe(360_000);
    expect(costOf(usage, PRICES, 3_600_000).deliveries).toBe(3_600_000);
  });

  it('has long polls of an idle system', () => {
    const { byStage, lines } = billOf({ seconds: 3_600 });
    expect(byStage.idle).toBeGreaterThan(0);
    expect(lines.find(({ resource }) => resource === 'ingest polls')?.units).toBe(900);
  });

  it('has secrets by the month, and their calls', () => {
    const day = { ...usageOf(scenario({ seconds: 86_400 })), secrets: { signing: { requests: 20_000 } } };
    const { lines } = costOf(day, PRICES);
    const dollars = (price: string) => lines.find((line) => line.price === price)?.dollars;
    expect(dollars('secretMonths')).toBeCloseTo(0.4 / 30, 9);
    expect(dollars('secretRequests')).toBeCloseTo(0.1, 9);
  });

  it('is printed as tables', () => {
    const bill = billOf();
    expect(reportBill(bill, PRICES)).toContain('3,600,000 messages of 32 KB');
    expect(reportAlternatives(bill, alternativesTo(scenario(), PRICES))).toContain('AppSync Events');
  });
});

describe('the same work elsewhere', () => {
  const named = (changes: Partial<Scenario>) =>
    Object.fromEntries(alternativesTo(scenario(changes), PRICES).map((each) => [each.name, each]));

  it('costs a message for every subscriber and publish', () => {
    const { 'AppSync Events': appSync, 'IoT Core': iot } = named({});
    expect(appSync?.dollarsPerMillionDeliveries).toBeCloseTo(1.001, 6);
    expect(iot?.dollarsPerMillionDeliveries).toBeCloseTo(1.001, 6);
  });

  it('is metered by 5 KB there, by 32 KB here', () => {
    expect(named({ bytes: 20_000 })['AppSync Events']?.dollarsPerMillionDeliveries).toBeCloseTo(4.004, 6);
    expect(perMillion({ bytes: 20_000 })).toBeLessThan(1.05);
  });

  it('costs the classic chat a scan of everybody for each message', () => {
    const [few, many] = [named({ subscribers: 100, topics: 1 }), named({ subscribers: 100, topics: 1_000 })];
    const [one, other] = [few['classic chat'], many['classic chat']];
    expect(other?.dollarsPerMillionDeliveries).toBeGreaterThan(1.5 * (one?.dollarsPerMillionDeliveries ?? 0));
  });
});

describe('the command line', () => {
  it('fills in what is not asked for', () => {
    expect(parseRequest([])).toMatchObject({ kind: 'scenario', scenario: scenario() });
    expect(parseRequest(['--seconds', '60'])).toMatchObject({ scenario: { connectionMinutes: 1 } });
  });

  it('asks for a run, a plan or help', () => {
    expect(parseRequest(['--run', 'usage.json', '--deliveries', '10'])).toEqual({
      ...{ kind: 'run', from: 'usage.json', deliveries: 10, json: false },
    });
    expect(parseRequest(['--plan', '1000000'])).toMatchObject({ kind: 'plan', subscribers: 1e6, seed: 1 });
    expect(parseRequest(['--plan', '10', '--workers', '20', '--posts-per-second', '9'])).toMatchObject({
      quotas: { workersMax: 20, postsPerSecond: 9 },
    });
    expect(parseRequest(['--help'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--subscribers', 'many'], 'expected --subscribers to be a number from 1 to 100000000, got many'],
    [['--coalesced', '11'], 'expected --coalesced to be a number from 1 to 10, got 11'],
    [['--rate', ''], 'expected --rate to be a number from 0.000001 to 1000000, got nothing'],
    [['--connection-minutes', '-1'], /expected|ambiguous/],
    [['--plan', '1', '--workers', '1'], 'expected --workers to be a number from 2 to 1000, got 1'],
    [['--plan', '1.5'], 'expected --plan to be a whole number, got 1.5'],
    [['--run', 'a', '--plan', '1'], 'expected --run or --plan, got both'],
    [['--run='], 'expected --run to be a URL or a file, got nothing'],
    [['--nonsense'], /nonsense/],
  ])('refuses %j', (args, message) => {
    expect(() => parseRequest(args)).toThrow(message);
  });

  it('refuses a file that is no usage', () => {
    expect(() => parseUsage('<html>', 'page')).toThrow('expected JSON from page, got "<html>"');
    expect(() => parseUsage('{}', 'x')).toThrow(
      'expected what GET /_fanwire/usage answers in x, got no functions',
    );
  });

  it('shows three digits that matter', () => {
    expect([0, 0.000123456, 1.2345, 999.96, 1234567].map(digits)).toEqual([
      ...['0', '0.000123', '1.23', '1,000', '1,234,567'],
    ]);
    expect(
      table([
        ['a', 'bb'],
        ['ccc', 'd'],
      ]),
    ).toBe('a    bb\nccc   d');
  });
});
