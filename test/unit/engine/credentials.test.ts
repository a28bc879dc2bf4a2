import { expect, it, vi } from 'vitest';
import { CachedCredentials, type CredentialsProvider } from '../../../shared/delivery/engine/credentials.ts';

const MINUTE_MS = 60_000;
const keysUntil = (minutes: number, accessKeyId = `until ${minutes}`) => ({
  accessKeyId,
  secretAccessKey: 'secret',
  expiration: new Date(minutes * MINUTE_MS),
});

function cacheOf(provider: CredentialsProvider) {
  const clock = { minutes: 0 };
  const credentials = new CachedCredentials(provider, () => clock.minutes * MINUTE_MS);
  const idAt = (minutes: number): string | undefined => {
    clock.minutes = minutes;
    return credentials.current()?.accessKeyId;
  };
  return { credentials, idAt };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('asks once for credentials that never expire, however many ask', async () => {
  const provider = vi.fn(async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }));
  const { credentials, idAt } = cacheOf(provider);
  expect(idAt(0)).toBeUndefined();
  const [first, second] = await Promise.all([credentials.fetch(), credentials.fetch()]);
  expect(first).toBe(second);
  expect(idAt(1_000_000)).toBe('a');
  expect(provider).toHaveBeenCalledTimes(1);
});

it('renews them five minutes before they expire, and uses the old ones meanwhile', async () => {
  const provider = vi
    .fn<CredentialsProvider>()
    .mockResolvedValueOnce(keysUntil(60))
    .mockResolvedValue(keysUntil(120));
  const { credentials, idAt } = cacheOf(provider);
  await credentials.fetch();
  expect(idAt(54.9)).toBe('until 60');
  expect(provider).toHaveBeenCalledTimes(1);
  expect([idAt(55), idAt(55.1)]).toEqual(['until 60', 'until 60']);
  expect(provider).toHaveBeenCalledTimes(2);
  await settled();
  expect(idAt(55.1)).toBe('until 120');
});

it('uses the old ones until they expire while renewing fails, and tries now and then', async () => {
  const provider = vi
    .fn<CredentialsProvider>()
    .mockRejectedValue(new Error('no'))
    .mockResolvedValueOnce(keysUntil(60));
  const { credentials, idAt } = cacheOf(provider);
  await credentials.fetch();
  for (const minutes of [55, 55.1, 55.2, 59.99]) {
    expect(idAt(minutes)).toBe('until 60');
    await settled();
  }
  expect(provider).toHaveBeenCalledTimes(4); // 55.1 is too soon after 55
  expect(idAt(60)).toBeUndefined();
  await expect(credentials.fetch()).rejects.toThrow('no');
});

it('does not ask all the time for credentials that are always short', async () => {
  const provider = vi.fn<CredentialsProvider>().mockResolvedValue(keysUntil(1));
  const { credentials, idAt } = cacheOf(provider);
  await credentials.fetch();
  expect([idAt(0), idAt(0.1), idAt(0.9)]).toEqual(['until 1', 'until 1', 'until 1']);
  expect(provider).toHaveBeenCalledTimes(2);
});
