// Where values stand in a JSON text that JSON.parse has accepted. What it would not accept is not noticed here.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const SPACE = 0x20;
const QUOTES = 2;
/** Characters of a string. */
const SHORT = 32;
/** Brackets and braces differ in one bit. */
const isOpening = (code: number): boolean => (code | 0x20) === 0x7b;
const isClosing = (code: number): boolean => (code | 0x20) === 0x7d;

/**
 * The value of an object's member as it is written, without the white space around it: of the last member with this
 * name, as JSON.parse has it. Undefined if there is none, or the value is no object.
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  for (let at = firstIn(json, '{'); !isEnd(json, at); ) {
    const keyEnd = endOfString(json, at);
    const from = afterSpace(json, afterSpace(json, keyEnd) + 1);
    const end = endOfValue(json, from);
    if (isNamed(json, at, keyEnd, name)) found = json.slice(from, end);
    at = nextAfter(json, end);
  }
  return found;
}

/** The elements of an array as they are written, without the white space around them. */
export function elementTexts(json: string): string[] {
  const texts: string[] = [];
  for (let at = firstIn(json, '['); !isEnd(json, at); ) {
    const end = endOfValue(json, at);
    texts.push(json.slice(at, end));
    at = nextAfter(json, end);
  }
  return texts;
}

/** Whether arrays and objects are nested in more levels, those included of members that another one replaces. */
export function isTextDeeperThan(levels: number, json: string): boolean {
  // A level takes two brackets.
  if (json.length <= 2 * levels) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfString(json, at) - 1;
    else if (isClosing(code)) depth--;
    else if (isOpening(code) && ++depth > levels) return true;
  }
  return false;
}

/** Whether there are more members and elements than so many, in all of it; an array or an object counts as one more. */
export function isTextWiderThan(values: number, json: string): boolean {
  if (json.length <= values) return false;
  let count = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfString(json, at) - 1;
    else if ((code === COMMA || isOpening(code)) && ++count > values) return true;
  }
  return false;
}

/** Where the first member or element begins, or the bracket is closed. */
function firstIn(json: string, bracket: '{' | '['): number {
  const at = afterSpace(json, 0);
  return json[at] === bracket ? afterSpace(json, at + 1) : json.length;
}

/** The same of the next one. */
function nextAfter(json: string, end: number): number {
  const at = afterSpace(json, end);
  return json.charCodeAt(at) === COMMA ? afterSpace(json, at + 1) : at;
}

const isEnd = (json: string, at: number): boolean => at >= json.length || isClosing(json.charCodeAt(at));

/** An escape is longer than what it stands for, and a backslash has to be one. */
function isNamed(json: string, from: number, end: number, name: string): boolean {
  const length = end - from - QUOTES;
  if (length < name.length) return false;
  if (length === name.length) return json.startsWith(name, from + 1) && !name.includes('\\');
  const key = json.slice(from, end);
  return key.includes('\\') && JSON.parse(key) === name;
}

function endOfValue(json: string, from: number): number {
  let depth = 0;
  for (let at = from; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(json, at) - 1;
      if (depth === 0) return at + 1;
    } else if (isOpening(code)) depth++;
    else if (isClosing(code)) {
      // The bracket is the value's own, or that of what a number or a word is in.
      if (depth <= 1) return at + depth;
      depth--;
    } else if (depth === 0 && (code === COMMA || code <= SPACE)) return at;
  }
  return json.length;
}

/** Most strings are short, and a look at each character is sooner done than a search; in long ones it is not. */
function endOfString(json: string, from: number): number {
  let at = from + 1;
  for (const soon = at + SHORT; at < soon; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
  for (let quote = json.indexOf('"', at); quote >= 0; quote = json.indexOf('"', quote + 1)) {
    let before = quote;
    while (before > at && json.charCodeAt(before - 1) === BACKSLASH) before--;
    // After an odd number of backslashes it is one of the string's own.
    if ((quote - before) % 2 === 0) return quote + 1;
  }
  return json.length;
}

function afterSpace(json: string, from: number): number {
  let at = from;
  while (json.charCodeAt(at) <= SPACE) at++;
  return at;
}
