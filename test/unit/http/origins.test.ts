import { describe, expect, it } from 'vitest';
import { Origins, parseOrigin } from '../../../infra/local/http/origins.ts';

const objects = (headers: Record<string, string>, ...allowed: string[]): boolean =>
  new Origins(allowed).objectionTo({ method: 'GET', url: '/', headers }) !== undefined;

describe('a Host', () => {
  it.each([
    'localhost',
    'LOCALHOST:4566',
    'localhost:',
    'app.localhost:4566',
    '127.0.0.1:4566',
    '127.1.2.3',
    '[::1]:4566',
    '[::1]',
  ])('of this machine is served: %s', (host) => {
    expect(objects({ host })).toBe(false);
  });

  it.each([
    '',
    'evil.example',
    'evil.example:4566',
    'localhost.evil.example',
    'evillocalhost',
    'localhost:4566.evil.example',
    'localhost@evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1evil.example',
    '127.0.0',
    '0.0.0.0:4566',
    '192.168.1.7',
    '[::1].evil.example',
    '[2001:db8::1]:4566',
    'null',
  ])('of another is not: %s', (host) => {
    expect(objects({ host })).toBe(true);
    expect(objects({ host }, 'null')).toBe(true);
  });

  it('is that of an allowed origin, at any port', () => {
    const allowed = ['http://host.docker.internal:4566', 'capacitor://app'];
    expect(objects({ host: 'host.docker.internal' }, ...allowed)).toBe(false);
    expect(objects({ host: 'Host.Docker.Internal:80' }, ...allowed)).toBe(false);
    expect(objects({ host: 'docker.internal' }, ...allowed)).toBe(true);
  });

  it('is not asked of HTTP/1.0', () => {
    expect(objects({})).toBe(false);
  });
});

describe('an Origin', () => {
  const host = 'localhost:4566';

  it.each([
    'http://localhost',
    'http://localhost:4566',
    'https://localhost:8443',
    'http://app.localhost:3000',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('of this machine is served: %s', (origin) => {
    expect(objects({ host, origin })).toBe(false);
  });

  it.each([
    '',
    'null',
    'https://evil.example',
    'http://localhost.evil.example',
    'http://evillocalhost',
    'http://localhost:80.evil.example',
    'http://localhost@evil.example',
    'http://127.0.0.1.evil.example',
    'http://192.168.1.7:3000',
    'file://',
    'chrome-extension://abcdef',
    'capacitor://localhost',
    'http://localhost http://evil.example',
  ])('of another is not: %j', (origin) => {
    expect(objects({ host, origin })).toBe(true);
  });

  it.each([
    ['https://app.example.com', 'https://app.example.com'],
    ['https://app.example.com', 'https://App.Example.com:443'],
    ['http://app.example.com:8080', 'http://app.example.com:8080'],
    ['null', 'null'],
    ['capacitor://localhost', 'Capacitor://localhost'],
  ])('that is allowed is served: %s by --allow-origin %s', (origin, option) => {
    expect(objects({ host, origin }, parseOrigin(option) ?? '')).toBe(false);
  });

  it.each([
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://example.com',
    'https://x.app.example.com',
  ])('is not the one that is allowed with another scheme, port or name: %s', (origin) => {
    expect(objects({ host, origin }, 'https://app.example.com')).toBe(true);
  });
});

describe('what is no origin', () => {
  it.each([
    '',
    '*',
    'app.example.com',
    'https://',
    'https://app.example.com/',
    'https://a b',
    'https://u@app.example.com',
    'https://:80',
  ])('is told: %j', (text) => {
    expect(parseOrigin(text)).toBeUndefined();
  });
});
