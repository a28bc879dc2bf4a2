import { type CompleteAuth, parseAuth } from '../../shared/auth/settings.ts';
import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import type { Operation, Rights } from '../../shared/protocol/rights.ts';
import type { Dice } from '../simulation/dice.ts';
import { AUDIENCE, ISSUER } from '../support/issuer.ts';

/** Who there is, and what they may come upon: names that are close to each other, and topics within topics. */

export interface User {
  readonly subject: string;
  /** What it is called by, and where it stands in a topic. */
  readonly name: string;
}
export const USERS: readonly User[] = [
  { subject: 'ada', name: 'ada' },
  { subject: 'ad', name: 'ad' },
  { subject: 'ada/b', name: 'ada~2Fb' },
  { subject: '*', name: '~2A' },
];

export const TOPICS: readonly string[] = [
  ...['chat', 'chat/a', 'chat/ab', 'chat/a/b', 'chats', 'chats/a', 'team', 'team/private', 'team/private/a'],
  ...['log/a', 'log/a/b', 'log/b', 'closed/a', 'closed/a/b'],
  ...['inbox', 'inbox/ada', 'inbox/ada/b', 'inbox/ad', ...USERS.map(({ name }) => `inbox/${name}/x`)],
];
export const PATTERNS: readonly string[] = [
  ...new Set(TOPICS.flatMap((topic) => [topic, `${topic}/*`, topic.replace(/[^/]*$/, '*')])),
].filter((pattern) => pattern !== '*');

const usual = {
  recovery: false,
  wildcards: true,
  lastValue: false,
  clientPublish: true,
  dataBytesMax: 30_000,
};
export const NAMESPACES: Namespaces = {
  '*': usual,
  log: { ...usual, recovery: true, history: { messages: 100, seconds: 3_600 } },
  closed: { ...usual, wildcards: false },
};

export const AUTH: CompleteAuth = parseAuth({
  issuers: [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: true }],
  grants: true,
  rights: { 'inbox/{sub}/*': ['subscribe'], chat: ['subscribe'] },
  anonymous: { 'chat/*': ['subscribe', 'publish'] },
});
export const ANONYMOUS: Rights = { 'chat/*': ['subscribe', 'publish'] };
/** What everybody with a token may do, besides what the token says. */
const common = ({ name }: User): [string, Operation[]][] => [
  [`inbox/${name}/*`, ['subscribe']],
  ['chat', ['subscribe']],
];

/** Rights as a token has them, and as they are once those of everybody are added. */
export function rollRights(dice: Dice, user: User): { readonly own: Rights; readonly all: Rights } {
  const own = new Map<string, Operation[]>();
  for (let n = dice.integer(0, 5); n > 0; n--) {
    const operations = dice.pick<Operation[]>([
      ['subscribe'],
      ['subscribe', 'history'],
      ['history'],
      ['publish'],
      ['subscribe', 'publish'],
    ]);
    const right = dice.weighted({ '*': 0.03, 'log/*': 0.07 }) ?? dice.pick(PATTERNS);
    own.set(right, operations);
  }
  const all = new Map(own);
  for (const [right, operations] of common(user))
    all.set(right, [...new Set([...operations, ...(all.get(right) ?? [])])]);
  return { own: Object.fromEntries(own), all: Object.fromEntries(all) };
}
