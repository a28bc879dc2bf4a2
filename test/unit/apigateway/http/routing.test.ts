import { expect, it } from 'vitest';
import { compileRoutes } from '../../../../infra/local/apigateway/http/routing.ts';

const KEYS = [
  '$default',
  'ANY /{proxy+}',
  'GET /pets/{proxy+}',
  'GET /pets/dog/{id}',
  'GET /pets/dog/1',
  'ANY /pets/dog/1',
  'ANY /{kind}/dog/{id}',
  'GET /',
];
const select = compileRoutes(KEYS.map((key) => ({ key })));
const selected = (method: string, path: string) => select(method, path.slice(1).split('/'));

it.each([
  // The guide's own examples.
  ['GET', '/pets/dog/1', 'GET /pets/dog/1', {}],
  ['GET', '/pets/dog/2', 'GET /pets/dog/{id}', { id: '2' }],
  ['GET', '/pets/cat/1', 'GET /pets/{proxy+}', { proxy: 'cat/1' }],
  ['POST', '/test/5', 'ANY /{proxy+}', { proxy: 'test/5' }],
  // A method before ANY, a full match before a greedy one, a text before a variable.
  ['PUT', '/pets/dog/1', 'ANY /pets/dog/1', {}],
  ['PUT', '/pets/dog/2', 'ANY /{kind}/dog/{id}', { kind: 'pets', id: '2' }],
  ['GET', '/cars/dog/2', 'ANY /{kind}/dog/{id}', { kind: 'cars', id: '2' }],
  ['GET', '/', 'GET /', {}],
  // Nothing is empty.
  ['POST', '/', '$default', {}],
  ['GET', '/pets/dog/', 'GET /pets/{proxy+}', { proxy: 'dog/' }],
])('%s %s leads to %s', (method, path, key, pathParameters) => {
  expect(selected(method, path)).toEqual({ route: { key }, pathParameters });
});

it.each([
  [['GET /pets'], 'POST', '/pets'],
  [['GET /pets'], 'GET', '/pets/'],
  [['GET /pets'], 'GET', '/Pets'],
  [['GET /pets/{id}'], 'GET', '/pets/'],
  [['GET /pets/{id}'], 'GET', '/pets/1/2'],
  [['ANY /pets/{all+}'], 'GET', '/pets'],
  [[], 'GET', '/'],
])('of %j none is for %s %s', (keys, method, path) => {
  expect(compileRoutes(keys.map((key) => ({ key })))(method, path.slice(1).split('/'))).toBeUndefined();
});
