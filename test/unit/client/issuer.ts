import type { ClientOptions } from '../../../shared/client/index.ts';
import { Clock } from './clock.ts';
import type { FakeSocket } from './fake-server.ts';
import { connected, type World } from './harness.ts';

export const MINUTE = 60;
export const HOUR = 3600;

export const base64Url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export const jwt = (claims: unknown): string => `${base64Url({ alg: 'RS256' })}.${base64Url(claims)}.c2ln`;

export interface Issuer {
  readonly lifeSeconds: number;
  /** Until so many seconds before its end the same token is given. */
  readonly cachedUntilSeconds?: number;
  /** How old the first one is. */
  readonly ageSeconds?: number;
  /** When the application has it renewed for another reason than a connection. */
  readonly renewedAfterSeconds?: number;
  readonly withoutIat?: boolean;
  /** Whether the server takes a new token on a live connection. */
  readonly isRenewed?: boolean;
}

export interface Renewing extends World {
  /** When each connection was dialled, in seconds since the first. */
  readonly dialledAt: number[];
}

const endOf = (token: string): number =>
  JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url'))).exp * 1000;

/** A server that looks at tokens, and ends each connection with its newest token. */
export async function renewing(
  {
    lifeSeconds,
    cachedUntilSeconds = lifeSeconds,
    ageSeconds = 0,
    renewedAfterSeconds,
    withoutIat = false,
    isRenewed = false,
  }: Issuer,
  options: Partial<ClientOptions> = {},
  clock = new Clock(),
): Promise<Renewing> {
  // Well after 1970, so that no token is of before.
  await clock.advance(10 * 24 * HOUR * 1000);
  const seconds = () => Math.floor(clock.now() / 1000);
  const startedAtMs = clock.now();
  const dialledAt: number[] = [];
  let iat = seconds() - ageSeconds;
  if (renewedAfterSeconds !== undefined) {
    clock.setTimeout(() => {
      iat = seconds();
    }, renewedAfterSeconds * 1000);
  }
  const token = async () => {
    if (iat + lifeSeconds - cachedUntilSeconds <= seconds()) iat = seconds();
    return jwt({ sub: 'Zoë ???>>>', ...(!withoutIat && { iat }), exp: iat + lifeSeconds });
  };
  const it = await connected(
    { token, ...options },
    (server) => {
      const endsAtMs = new Map<FakeSocket | undefined, number>();
      const endInTime = (socket: FakeSocket | undefined) => {
        const leftMs = (endsAtMs.get(socket) ?? 0) - clock.now();
        if (leftMs > 0) clock.setTimeout(() => endInTime(socket), leftMs);
        else socket?.cut();
      };
      server.onConnect = (_url, attempt, [, bearer = '']) => {
        dialledAt.push((clock.now() - startedAtMs) / 1000);
        const socket = server.sockets[attempt - 1];
        const endAtMs = endOf(bearer.replace('bearer.', ''));
        endsAtMs.set(socket, endAtMs);
        endInTime(socket);
        return endAtMs / 1000 > seconds() ? 'open' : 'refuse';
      };
      server.onAuthenticate = (token, socket) => {
        if (!isRenewed) return undefined;
        endsAtMs.set(socket, Math.max(endOf(token), endsAtMs.get(socket) ?? 0));
        return new Date(endOf(token)).toISOString();
      };
    },
    clock,
  );
  return { ...it, dialledAt };
}

export const pauses = (dialledAt: readonly number[]): number[] =>
  dialledAt.slice(1).map((at, index) => at - (dialledAt[index] ?? 0));
