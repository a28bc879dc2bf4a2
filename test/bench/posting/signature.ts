import { SignatureV4 } from '@smithy/signature-v4';
import { Signer } from '../../../shared/delivery/engine/signer.ts';
import { Sha256 } from '../../support/posting-endpoint.ts';
import { median } from '../bench.ts';
import { BODY_BYTES, CREDENTIALS, connectionIds, REGION } from './message.ts';

const ROUNDS = 5;
const SIGNATURES = 100_000;
const SDK_SIGNATURES = 5_000;
const HOST = 'abc.execute-api.us-east-1.amazonaws.com';

const ids = connectionIds(1_000);
const frame = new Uint8Array(BODY_BYTES).fill(120);

/** Processor time of one signature, in microseconds: ours, which goes on through seconds as time does, and the SDK's. */
export async function measureSignatures(): Promise<{ readonly ours: number; readonly sdk: number }> {
  const signer = new Signer(`https://${HOST}/prod`, REGION);
  const startMs = Date.now();
  const sign = (n: number): void => {
    signer.sign(ids[n % ids.length] as string, frame, CREDENTIALS, startMs + Math.floor(n / 10)); // within its length
  };
  const reference = new SignatureV4({
    service: 'execute-api',
    region: REGION,
    credentials: CREDENTIALS,
    sha256: Sha256,
  });
  const headers = { 'content-type': 'application/octet-stream', host: HOST };
  const request = { method: 'POST', protocol: 'https:', hostname: HOST, query: {}, headers, body: frame };
  const signSdk = (n: number): Promise<unknown> =>
    reference.sign({ ...request, path: `/prod/@connections/${ids[n % ids.length]}` });
  const [ours, sdk]: number[][] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    ours?.push(await microseconds(SIGNATURES, sign));
    sdk?.push(await microseconds(SDK_SIGNATURES, signSdk));
  }
  return { ours: median(ours?.slice(1) ?? []), sdk: median(sdk?.slice(1) ?? []) }; // the first is for warming up
}

async function microseconds(count: number, call: (n: number) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < count; n++) {
    const pending = call(n);
    if (pending) await pending;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
