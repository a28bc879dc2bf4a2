import { describe, expect, it } from 'vitest';
import { compileRouteSelection } from '../../../infra/local/apigateway/routing.ts';

/** `${request.body.…}`, the form with braces. */
const braced = (path: string): string => `$\{request.body.${path}}`;

const byAction = compileRouteSelection('$request.body.action');

describe('the value of $request.body.action', () => {
  it.each([
    ['{"action":"publish"}', 'publish'],
    ['{"action":5}', '5'],
    ['{"action":true}', 'true'],
    ['{"action":""}', ''],
    ['{"action":null}', ''],
    ['{"other":"publish"}', ''],
    ['[]', ''],
    ['"text"', ''],
    ['null', ''],
    ['7', ''],
  ])('of %s is %j', (message, key) => {
    expect(byAction(message)).toBe(key);
  });

  it.each(['', 'hello', '{"action":', '{action:1}'])('of %j, which is no JSON, is $default', (message) => {
    expect(byAction(message)).toBe('$default');
  });

  it.each(['$connect', '$disconnect', '$default', '$anything'])('never is %s from a client', (action) => {
    expect(byAction(JSON.stringify({ action }))).toBe('$default');
  });

  it.each([127, 129, 4_400, 60_000])('of an array nested %i deep is no error', (levels) => {
    const action = `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(byAction(`{"action":${action}}`)).toBe(levels < 128 ? action : '$default');
  });

  it('is only ever a value that the message has itself', () => {
    const byLength = compileRouteSelection('$request.body.length');
    expect(byLength('"four"')).toBe('');
    expect(byLength('[1,2]')).toBe('2'); // an array has its length itself, and JSONPath sees it too
    expect(compileRouteSelection('$request.body.constructor.name')('{}')).toBe('');
  });
});

describe('other expressions', () => {
  it.each([
    [braced('action'), 'publish'],
    ['$request.body.topic.name', 'news'],
    [`${braced('topic.name')}/${braced('action')}`, 'news/publish'],
    ['$request.body.topic.name:$request.body.action', 'news:publish'],
    [`v1-${braced('action')}`, 'v1-publish'],
    ['$request.body.action.deeper', ''],
    ['$request.body.topic', '{"name":"news"}'],
    ['fixed', 'fixed'],
    ['\\$default', '$default'],
  ])('%s gives %j', (expression, key) => {
    expect(compileRouteSelection(expression)('{"action":"publish","topic":{"name":"news"}}')).toBe(key);
  });

  it.each(['', '$context.routeKey', '$request.header.action', '${request.body.a', '$request.body', 'a$'])(
    'refuses %j, and says so',
    (expression) => {
      expect(() => compileRouteSelection(expression)).toThrow(
        `expected a route selection expression of $request.body.… and literal text, got ${JSON.stringify(expression)}`,
      );
    },
  );
});
