export type Matcher = (text: string) => boolean;

/** A text of a policy in which `*` stands for any characters and `?` for one. It matches whole texts only. */
export function compileWildcard(pattern: string): Matcher {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  // The common one, and faster than its regular expression.
  if (/^[^*?]*\*$/.test(pattern)) {
    const prefix = pattern.slice(0, -1);
    return (text) => text.startsWith(prefix);
  }
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 's');
  return (text) => expression.test(text);
}

const ARN_PARTS = 6;

/** As `ArnLike` does: each of the six parts for itself, so that no `*` reaches beyond its colon. */
export function compileArn(pattern: string): Matcher {
  const parts = arnParts(pattern).map(compileWildcard);
  return (text) => {
    const texts = arnParts(text);
    return texts.length === parts.length && parts.every((matches, index) => matches(texts[index] ?? ''));
  };
}

/** The last part may have colons of its own. */
function arnParts(arn: string): string[] {
  const parts = arn.split(':');
  return [
    ...parts.slice(0, ARN_PARTS - 1),
    ...(parts.length < ARN_PARTS ? [] : [parts.slice(ARN_PARTS - 1).join(':')]),
  ];
}
