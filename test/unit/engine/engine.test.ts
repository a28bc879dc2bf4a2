import { describe, expect, it, vi } from 'vitest';
import type { Answer, Transport } from '../../../shared/aws/http/transport.ts';
import type { CredentialsProvider } from '../../../shared/delivery/engine/credentials.ts';
import { createEngine, type EngineOptions } from '../../../shared/delivery/engine/engine.ts';
import type { SignedRequest } from '../../../shared/delivery/engine/signer.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 12);
const frame = new TextEncoder().encode('{}');
const keys = { accessKeyId: 'key', secretAccessKey: 'secret' };

const answerOf = (status: number, parts: Partial<Answer> = {}): Answer => ({
  status,
  errorType: '',
  requestId: '',
  date: '',
  body: new Uint8Array(),
  headers: undefined,
  ...parts,
});
const forbidden = (errorType: string, dateMs: number): Answer =>
  answerOf(403, { errorType, date: new Date(dateMs).toUTCString() });

/** Answers as `answer` says, or not at all. */
function transportThat(answer: (request: SignedRequest) => Answer | undefined) {
  const requests: SignedRequest[] = [];
  const transport: Transport<SignedRequest> = {
    send(exchange) {
      requests.push(exchange.request);
      const given = answer(exchange.request);
      exchange.written();
      if (given) exchange.settle(given);
    },
    close() {},
  };
  return { transport, requests };
}

const engineWith = (options: Partial<EngineOptions>) =>
  createEngine({
    endpoint: 'https://abc.execute-api.eu-west-1.amazonaws.com/prod',
    region: 'eu-west-1',
    credentials: async () => keys,
    transport: transportThat(() => answerOf(200)).transport,
    timeoutMs: 10_000,
    now: () => NOW_MS,
    ...options,
  });

describe('createEngine', () => {
  it('asks nobody about an id that would be another path', async () => {
    const { transport, requests } = transportThat(() => answerOf(200));
    const { post } = engineWith({ transport });
    const outcomes = await Promise.all(['', '.', '..'].map((id) => post(id, frame)));
    expect(outcomes).toEqual(outcomes.map(() => ({ outcome: 'gone' })));
    expect(requests).toEqual([]);
  });

  it('fails a post whose id cannot be encoded', async () => {
    expect(await engineWith({}).post('\ud800', frame)).toEqual({
      outcome: 'failed',
      reason: 'URIError: URI malformed',
    });
  });

  it('fails a post that has no credentials, and tries again for the next', async () => {
    const credentials = vi
      .fn<CredentialsProvider>()
      .mockRejectedValueOnce(new Error('nobody'))
      .mockResolvedValue(keys);
    const { post } = engineWith({ credentials });
    expect(await post('a', frame)).toEqual({ outcome: 'failed', reason: 'Error: nobody' });
    expect(await post('a', frame)).toEqual({ outcome: 'delivered' });
  });

  it('waits no longer for credentials than for an answer', async () => {
    const { post } = engineWith({ credentials: () => new Promise(() => {}), timeoutMs: 20 });
    expect(await post('a', frame)).toEqual({ outcome: 'unanswered', reason: 'no answer within 20 ms' });
  });

  it('ends every post at its own deadline', async () => {
    const { post } = engineWith({ transport: transportThat(() => undefined).transport, timeoutMs: 20 });
    const posts = [post('a', frame)];
    await posts[0];
    posts.push(post('b', frame), post('c', frame));
    const late = { outcome: 'unanswered', reason: 'no answer within 20 ms' };
    expect(await Promise.all(posts)).toEqual([late, late, late]);
  });

  it('gives a post less time for its answer than is usual, if it is asked to', async () => {
    const { post } = engineWith({ transport: transportThat(() => undefined).transport, timeoutMs: 60_000 });
    expect(await post('a', frame, 15)).toEqual({ outcome: 'unanswered', reason: 'no answer within 15 ms' });
  });
});

describe('a clock that is wrong', () => {
  const HOUR_MS = 3_600_000;
  /** Accepts what was signed within five minutes of its time. */
  const strict = (errorType: string, serverMs: number) =>
    transportThat(({ signedAtMs }) =>
      Math.abs(signedAtMs - serverMs) < 300_000 ? answerOf(200) : forbidden(errorType, serverMs),
    );

  it('is corrected by the Date of the refusal, once for all posts to come', async () => {
    for (const serverMs of [NOW_MS + HOUR_MS, NOW_MS - HOUR_MS]) {
      const { transport, requests } = strict('InvalidSignatureException', serverMs);
      const { post } = engineWith({ transport });
      expect(await post('a', frame)).toEqual({ outcome: 'delivered' });
      expect(await post('b', frame)).toEqual({ outcome: 'delivered' });
      expect(requests.map(({ signedAtMs }) => signedAtMs)).toEqual([NOW_MS, serverMs, serverMs]);
    }
  });

  it('is corrected for every post that was under way', async () => {
    const { transport, requests } = strict('RequestTimeTooSkewed', NOW_MS + HOUR_MS);
    const { post } = engineWith({ transport });
    const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => post(id, frame)));
    expect(outcomes).toEqual(outcomes.map(() => ({ outcome: 'delivered' })));
    expect(requests).toHaveLength(6);
  });

  it('is tried once only', async () => {
    const refused = forbidden('RequestExpired', NOW_MS);
    const { transport, requests } = transportThat(() => refused);
    expect(await engineWith({ transport }).post('a', frame)).toEqual({
      outcome: 'failed',
      reason: 'RequestExpired (HTTP 403)',
    });
    expect(requests).toHaveLength(2);
  });

  it('is not blamed for other refusals', async () => {
    const refusals = [
      forbidden('InvalidSignatureException', NOW_MS + 30_000),
      forbidden('ForbiddenException', NOW_MS - 30_000),
      answerOf(403, { errorType: 'InvalidSignatureException' }),
      answerOf(500, { date: new Date(NOW_MS + HOUR_MS).toUTCString() }),
    ];
    for (const refusal of refusals) {
      const { transport, requests } = transportThat(() => refusal);
      expect((await engineWith({ transport }).post('a', frame)).outcome).toBe('failed');
      expect(requests).toHaveLength(1);
    }
  });
});
