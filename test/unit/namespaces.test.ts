import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { completeNamespaces, type NamespacesSettings } from '../../infra/namespaces.ts';
import { completeSettings } from '../../infra/settings.ts';
import { loadConfig, namespaces as namespacesSetting } from '../../shared/lambda/config.ts';
import { DATA_BYTES_MAX } from '../../shared/protocol/frames.ts';
import { historyNamespaceOf, keepsHistory, namespaceOf } from '../../shared/protocol/namespaces.ts';
import { parsePattern, parseTopic } from '../../shared/protocol/topic.ts';
import { namespacesOf } from '../support/namespaces.ts';

const history = { messages: 100, seconds: 60 };
const problemsOf = (given: unknown) => completeNamespaces(given as NamespacesSettings).problems;

describe('the settings of namespaces', () => {
  it('have defaults: nothing is kept, and everybody may do everything', () => {
    const open = { wildcards: true, lastValue: false, clientPublish: true, dataBytesMax: DATA_BYTES_MAX };
    expect(completeNamespaces({ chat: { history } })).toEqual({
      namespaces: { '*': { recovery: false, ...open }, chat: { history, recovery: true, ...open } },
      problems: [],
    });
    expect(completeSettings({}).namespaces).toEqual({ '*': { recovery: false, ...open } });
  });

  it('may require grants only where the back end gives some', () => {
    const namespaces = { team: { grants: 'required' } } as const;
    const problem = 'namespace team: expected auth.grants, without which there are none to require, got none';
    expect(() => completeSettings({ namespaces })).toThrow(problem);
    expect(() => completeSettings({ namespaces, auth: { grants: false } })).toThrow(problem);
    expect(completeSettings({ namespaces, auth: { grants: true } }).namespaces).toMatchObject(namespaces);
    // Of what is wrong itself nothing can be said further.
    const wrong = { grants: 'yes' } as never;
    const own = 'Bad Fanwire settings: expected auth.grants to be true or false, got "yes"';
    expect(() => completeSettings({ namespaces, auth: wrong })).toThrow(new Error(own));
  });

  it('may be those of every namespace that is not named', () => {
    const { namespaces } = completeNamespaces({ '*': { history, recovery: false }, quick: {} });
    expect(namespaces).toMatchObject({ '*': { history, recovery: false }, quick: { recovery: false } });
    expect(namespaces.quick).not.toHaveProperty('history');
  });

  it.each<[NamespacesSettings, string]>([
    [{ a: { recovery: true } }, 'namespace a: recovery needs a history to recover from, got none'],
    [
      { a: { lastValue: true } },
      'namespace a: lastValue needs a history, whose offsets say which message is the last, got none',
    ],
  ])('contradict themselves in %j', (given, problem) => {
    expect(problemsOf(given)).toEqual([problem]);
  });

  it.each<[unknown, string]>([
    [{ 'a/b': {} }, "namespace a/b: expected a topic's first segment, or *"],
    [{ '': {} }, "namespace : expected a topic's first segment, or *"],
    [{ 'a*': {} }, "namespace a*: expected a topic's first segment, or *"],
    [
      { a: { histroy: history } },
      'namespace a: expected no settings but history, recovery, wildcards, lastValue, clientPublish, grants, dataBytesMax, got histroy',
    ],
    [
      { a: { grants: 'optional' } },
      "namespace a: expected grants to be 'required' or left out, got optional",
    ],
    [
      { a: { history: { messages: 0, seconds: 60 } } },
      'namespace a: expected history.messages to be a whole number from 1 to 100000, got 0',
    ],
    [
      { a: { history: { messages: 10 } } },
      'namespace a: expected history.seconds to be a whole number from 1 to 604800, got undefined',
    ],
    [
      { a: { history: { messages: 10, seconds: 1.5 } } },
      'namespace a: expected history.seconds to be a whole number from 1 to 604800, got 1.5',
    ],
    [
      { a: { dataBytesMax: DATA_BYTES_MAX + 1 } },
      `namespace a: expected dataBytesMax to be a whole number from 1 to ${DATA_BYTES_MAX}, got ${DATA_BYTES_MAX + 1}`,
    ],
  ])('are refused: %j', (given, problem) => {
    expect(problemsOf(given)).toEqual([problem]);
  });

  it('may be those of hundreds', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`namespace-${n}`, { history }]));
    expect(problemsOf(many(500))).toEqual([]);
    expect(problemsOf(many(1_000))).toEqual([
      expect.stringMatching(
        /^expected the namespaces to be at most 131072 bytes of JSON, which every Lambda reads when it starts, got \d{6}$/,
      ),
    ]);
  });

  it('are told together with all other settings that are wrong', () => {
    const settings = {
      postTimeoutMs: 1,
      rolloverAfterSeconds: 7_200,
      namespaces: { a: { recovery: true, dataBytesMax: 0 }, b: { lastValue: true } },
    };
    expect(() => completeSettings(settings)).toThrow(
      'Bad Fanwire settings: expected postTimeoutMs to be a whole number from 50 to 5000, got 1; ' +
        'expected rolloverAfterSeconds to be a whole number from 1 to 6300, got 7200; ' +
        `namespace a: expected dataBytesMax to be a whole number from 1 to ${DATA_BYTES_MAX}, got 0; ` +
        'namespace a: recovery needs a history to recover from, got none; ' +
        'namespace b: lastValue needs a history, whose offsets say which message is the last, got none',
    );
  });

  it('reach the Lambdas as they are', () => {
    const { namespaces } = completeNamespaces({ chat: { history }, __proto__: {} });
    const root = mkdtempSync(join(tmpdir(), 'fanwire-test-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    const load = () => loadConfig({ LAMBDA_TASK_ROOT: root }, { namespaces: namespacesSetting });
    expect(load).toThrow(/LAMBDA_TASK_ROOT: ENOENT.*namespaces\.json/);
    writeFileSync(join(root, 'namespaces.json'), JSON.stringify(namespaces));
    expect(load()).toEqual({ namespaces });
  });
});

describe('a topic', () => {
  const namespaces = namespacesOf({ chat: { history } });

  it.each([
    ['chat', true],
    ['chat/lobby', true],
    ['chatter/lobby', false],
    ['news', false],
    ['toString', false],
    ['__proto__/x', false],
  ])('%s belongs to the namespace that is its first segment', (topic, isKept) => {
    expect(keepsHistory(namespaceOf(parseTopic(topic), namespaces))).toBe(isKept);
  });

  it('with a wildcard belongs to the same', () => {
    expect(namespaceOf(parsePattern('chat/*'), namespaces)).toBe(namespaces.chat);
  });

  it('has to keep history where that is asked for', () => {
    expect(historyNamespaceOf(parseTopic('chat/a'), namespaces)).toBe(namespaces.chat);
    expect(() => historyNamespaceOf(parseTopic('news'), namespaces)).toThrow(
      'expected a topic that keeps history, got "news"',
    );
  });
});
