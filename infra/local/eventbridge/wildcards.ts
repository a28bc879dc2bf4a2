import { invalid } from './invalid.ts';

/**
 * Wildcards of event patterns (EventBridge user guide, "Matching using wildcards"): `*` stands for any characters,
 * `\*` and `\\` for themselves.
 */

/**
 * Beginnings of wildcards that one text may match at once; AWS refuses a rule that allows more. AWS names no number:
 * seven are taken and ten refused in answers recorded there, and people report eight as refused.
 */
const BEGINNINGS_MAX = 7;
/** Sets of beginnings that are looked at before a rule counts as simple enough. */
const SETS_MAX = 2_000;

const STAR = '*';

/** A beginning of wildcards: what may come next, and whether it ends in a star, which goes on with anything. */
interface Beginning {
  readonly id: number;
  readonly isOpen: boolean;
  readonly next: Map<string, Beginning>;
}

/** The characters of a wildcard and its stars; a character that is escaped keeps its backslash. */
function tokensOf(wildcard: string): string[] {
  const tokens: string[] = [];
  for (const { 0: token, index } of wildcard.matchAll(/\\[*\\]|./gs)) {
    // AWS counts bytes, from a quotation mark before the text.
    const position = Buffer.byteLength(wildcard.slice(0, index)) + 1;
    if (token === '\\') throw invalid(`Invalid escape character at pos ${position}`);
    if (token === STAR && wildcard[index + 1] === STAR) {
      throw invalid(`Consecutive wildcard characters at pos ${position}`);
    }
    tokens.push(token);
  }
  return tokens;
}

/**
 * The pieces between the stars are looked for one after the other: linear in the event's text, which a regular
 * expression with several `.*` is not.
 */
export function matcherOf(wildcard: string): (text: string) => boolean {
  const [first = '', ...rest] = piecesOf(tokensOf(wildcard));
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let end = first.length;
    for (const piece of rest) {
      const start = text.indexOf(piece, end);
      if (start < 0) return false;
      end = start + piece.length;
    }
    return text.length - last.length >= end && text.endsWith(last);
  };
}

function piecesOf(tokens: readonly string[]): string[] {
  const pieces = [''];
  for (const token of tokens) {
    if (token === STAR) pieces.push('');
    else pieces.push(pieces.pop() + token.slice(-1));
  }
  return pieces;
}

/**
 * Whether AWS refuses the wildcards of one field as too complex. They come in groups: the wildcards of one
 * `anything-but` count a beginning that they share once, others count it each.
 */
export function isTooComplex(groups: readonly (readonly string[])[]): boolean {
  let count = 0;
  const begin = (isOpen = false): Beginning => ({ id: count++, isOpen, next: new Map() });
  const roots = groups.map((wildcards) => {
    const root = begin();
    for (const wildcard of wildcards) addTo(root, wildcard, begin);
    return root;
  });
  const seen = new Set<string>();
  const waiting: (readonly Beginning[])[] = [roots];
  for (let set = waiting.pop(); set; set = waiting.pop()) {
    for (const token of followersOf(set)) {
      const following = after(set, token);
      if (following.length > BEGINNINGS_MAX) return true;
      const key = String(following.map(({ id }) => id).sort());
      if (seen.has(key) || seen.size >= SETS_MAX) continue;
      seen.add(key);
      waiting.push(following);
    }
  }
  return false;
}

/** AWS's engine sees a text with its quotation marks. */
function addTo(root: Beginning, wildcard: string, begin: (isOpen: boolean) => Beginning): void {
  let beginning = root;
  for (const token of ['"', ...tokensOf(wildcard), '"']) {
    const next = beginning.next.get(token) ?? begin(token === STAR);
    beginning.next.set(token, next);
    beginning = next;
  }
}

/** What makes a difference to a text that matches these; '' is everything else. */
const followersOf = (set: readonly Beginning[]): Set<string> =>
  new Set(['', ...set.flatMap(({ next }) => [...next.keys()])]);

/** The beginnings that a text matches which has matched these and goes on with a character. */
function after(set: readonly Beginning[], token: string): Beginning[] {
  const following = new Set<Beginning>();
  for (const beginning of set) {
    if (beginning.isOpen) following.add(beginning);
    const next = token === STAR ? undefined : beginning.next.get(token);
    if (next) following.add(next);
  }
  // A star stands for nothing, too.
  for (const beginning of following) {
    const open = beginning.next.get(STAR);
    if (open) following.add(open);
  }
  return [...following];
}
