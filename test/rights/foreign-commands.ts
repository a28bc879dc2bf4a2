import { ErrorCode } from '../../shared/protocol/errors.ts';
import { OPERATIONS } from '../../shared/protocol/rights.ts';
import * as code from '../simulation/code.ts';
import { Dice } from '../simulation/dice.ts';
import { distort, misspell, oddValue } from '../support/distort.ts';
import { PATTERNS, TOPICS, USERS } from './cast.ts';
import { anonymousAt, headersWith, issue } from './issuers.ts';
import { allows, type Token } from './model.ts';
import { type Connection, type Frame, System } from './system.ts';

/**
 * Frames that no client of ours sends, thrown at the routes by connections with different rights: commands that are right
 * but for one thing, that say a thing twice, that are cut off, and what is no command. `node
 * test/rights/foreign-commands.ts 1000000` throws a million.
 */

const START_MS = Date.UTC(2026, 10, 20);
const CONNECTIONS = 3;
/** Then there is another system, because this one has filled up. */
const FRAMES_MAX = 500;
/** Whoever throws them is told nothing else: these are for what went wrong here, or with AWS. */
const OURS: readonly unknown[] = [ErrorCode.internal, ErrorCode.unavailable];
const CODES = new Set<unknown>(Object.values(ErrorCode).filter((code) => !OURS.includes(code)));

const ACTIONS = ['subscribe', 'unsubscribe', 'publish', 'history', 'send', 'whoami', 'ping'] as const;

interface Member {
  readonly connection: Connection;
  readonly token: Token;
}

/** A command that is right; often one that its connection may give. */
function command(dice: Dice, { token, connection }: Member): Frame {
  const action = dice.pick(ACTIONS);
  const operation = OPERATIONS.find((each) => each === action) ?? 'subscribe';
  const mine = dice.chance(0.8) ? [...TOPICS, ...PATTERNS].filter((it) => allows(token, operation, it)) : [];
  const pattern = dice.pick(mine.length > 0 ? mine : PATTERNS);
  const topic = pattern.replace(/\/\*$/, '');
  const position = { epoch: dice.pick(['e', 'none', '1795132800000']), offset: dice.integer(0, 3) };
  const message = {
    topic,
    data: dice.pick<unknown>([1, null, 'x', { a: [1, { b: null }] }, 'é\u2028']),
    ...(dice.chance(0.3) && { key: dice.pick(['k', 'f'.repeat(32)]), family: 'f' }),
    ...(dice.chance(0.2) && { version: dice.integer(1, 3) }),
    ...(dice.chance(0.2) && { except: dice.pick<unknown>(['self', [connection.id]]) }),
    ...(dice.chance(0.2) && { maxAge: 60, receipt: true }),
  };
  const commands: Readonly<Record<(typeof ACTIONS)[number], () => object>> = {
    subscribe: () => ({
      topic: pattern,
      ...dice.pick<object>([{}, {}, { rewind: 3 }, { rewind: { seconds: 60 } }, { position }]),
    }),
    unsubscribe: () => ({ topic: pattern }),
    publish: () =>
      dice.pick<object>([
        message,
        { ...message, topic: undefined, topics: [topic, dice.pick(TOPICS)] },
        { messages: [message, { topic: dice.pick(TOPICS), data: 2 }] },
      ]),
    history: () => ({
      topic,
      limit: 5,
      ...dice.pick<object>([{ after: position }, { reverse: true, before: 3 }]),
    }),
    send: () => ({ to: dice.pick<object>([{ userId: 'ada' }, { connectionId: 'abc=' }]), data: 1 }),
    whoami: () => ({}),
    ping: () => (dice.chance(0.5) ? { positions: [{ topic, ...position }] } : {}),
  };
  return { action, id: 'id', ...commands[action]() };
}

/** Once more, and otherwise: who reads the text and who reads the value must not mean different things. */
function doubled(text: string, dice: Dice): string {
  const field = dice.pick([
    'topic',
    'data',
    'action',
    '\\u0074opic',
    'messages',
    'topics',
    'version',
    'id',
    'to',
  ]);
  const value = JSON.stringify(dice.chance(0.5) ? dice.pick(PATTERNS) : oddValue(dice));
  const twice = `"${field}":${value}`;
  return dice.chance(0.5) ? text.replace('{', `{${twice},`) : text.replace(/}$/, `,${twice}}`);
}

const DEEP = [`${'['.repeat(9_000)}${']'.repeat(9_000)}`, `${'{"data":'.repeat(900)}1${'}'.repeat(900)}`];

function foreign(dice: Dice, member: Member): string {
  const frame = command(dice, member);
  const kind = dice.weighted({ right: 0.2, distorted: 0.45, twice: 0.05, doubled: 0.12, misspelt: 0.13 });
  switch (kind) {
    case 'right':
      return JSON.stringify(frame);
    case 'distorted':
      return JSON.stringify(distort(frame, dice));
    case 'twice':
      return JSON.stringify(distort(distort(frame, dice), dice));
    case 'doubled':
      return doubled(JSON.stringify(frame), dice);
    case 'misspelt':
      return misspell(JSON.stringify(frame), dice);
    default:
      return dice.chance(0.1) ? dice.pick(DEEP) : (JSON.stringify(oddValue(dice)) ?? '');
  }
}

/** What is wrong with the answer to a text, if anything is. */
function wrongIn(reply: Frame, text: string, token: Token): string | undefined {
  if (reply.type === 'error') return CODES.has(reply.code) ? undefined : `was answered with ${reply.code}`;
  if (reply.type !== 'ack') return `was answered with ${JSON.stringify(reply)}`;
  const frame = JSON.parse(text);
  if (frame.action !== reply.action) return `was taken for ${reply.action}`;
  const wanted = wantedBy(frame).find(([operation, what]) => !allows(token, operation, what));
  return wanted && `was allowed to ${wanted.join(' ')}`;
}

type Wanted = readonly (readonly ['subscribe' | 'history' | 'publish' | 'version' | 'send', string])[];

function wantedBy({ action, topic, topics = [topic], messages, version, rewind, to }: Frame): Wanted {
  if (action === 'subscribe' && rewind !== undefined)
    return [
      ['subscribe', String(topic)],
      ['history', String(topic)],
    ];
  if (action === 'subscribe' || action === 'history') return [[action, String(topic)]];
  if (action === 'send') return [['send', JSON.stringify(to)]];
  if (action !== 'publish') return [];
  if (messages !== undefined)
    return (messages as Frame[]).flatMap((message) => wantedBy({ ...message, action }));
  return (topics as string[]).flatMap((each) => [
    ['publish', each] as const,
    ...(version === undefined ? [] : [['version', each] as const]),
  ]);
}

export interface Thrown {
  readonly acknowledged: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly received: number;
  /** What should not have happened. */
  readonly faults: readonly string[];
}

async function connectAll(dice: Dice, system: System): Promise<Member[]> {
  const members: Member[] = [];
  while (members.length < CONNECTIONS) {
    const user = dice.chance(0.2) ? undefined : dice.pick(USERS);
    const issued = user && (await issue(dice, user, system.nowMs));
    const token = issued ? issued.token : anonymousAt(system.nowMs);
    const connection = await system.connect(issued ? headersWith(dice, issued.text) : {});
    if (connection && token) members.push({ connection, token });
  }
  return members;
}

/** Throws so many frames at the routes. */
export async function throwCommands(seed: number, count: number): Promise<Thrown> {
  code.silence();
  const dice = new Dice(seed);
  const thrown = { acknowledged: {}, refused: {}, received: 0, faults: [] as string[] };
  const note = (counts: Record<string, number>, what: unknown) => {
    counts[String(what)] = (counts[String(what)] ?? 0) + 1;
  };
  for (let left = count; left > 0 && thrown.faults.length === 0; left -= FRAMES_MAX) {
    const system = new System(code, dice.fork(), START_MS);
    const members = await connectAll(dice, system);
    system.onFrame = ({ id }, { type, topic }) => {
      if (type !== 'message' && type !== 'messages') return;
      thrown.received += 1;
      const { token } = members.find(({ connection }) => connection.id === id) ?? {};
      if (topic !== undefined && !(token && allows(token, 'subscribe', String(topic))))
        thrown.faults.push(`${id} got ${topic}`);
    };
    for (let n = 0; n < Math.min(left, FRAMES_MAX) && thrown.faults.length === 0; n++) {
      const member = dice.pick(members);
      const { connection, token } = member;
      const text = foreign(dice, member);
      try {
        const reply = await system.say(connection, text);
        await system.advance();
        const wrong = wrongIn(reply, text, token);
        if (wrong !== undefined) thrown.faults.push(`${wrong}: ${text.slice(0, 500)}`);
        if (reply.type === 'ack') note(thrown.acknowledged, reply.action);
        else note(thrown.refused, reply.code);
      } catch (error) {
        thrown.faults.push(`threw ${(error as Error).stack} at ${text.slice(0, 500)}`);
      }
    }
  }
  return thrown;
}

if (import.meta.main) {
  const total = Number(process.argv[2] ?? 1_000_000);
  const perSeed = 10_000;
  const counts: Record<string, number> = {};
  for (let seed = 0; seed * perSeed < total; seed++) {
    const { faults, acknowledged, refused, received } = await throwCommands(seed, Math.min(perSeed, total));
    if (faults.length > 0) {
      console.error(`seed ${seed}: ${faults.join('; ')}`);
      process.exit(1);
    }
    for (const [name, n] of Object.entries({ received, ...acknowledged, ...refused }))
      counts[name] = (counts[name] ?? 0) + n;
  }
  console.log(`${total} frames: no throw, no internal error, nothing without a right`, counts);
}
