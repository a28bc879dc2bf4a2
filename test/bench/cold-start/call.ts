import { statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A fresh environment: loads a bundle, has it handle its first event, and tells its parent what that took. */
export interface ColdStart {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Of the files that were loaded; 0 unless asked for, because looking on costs time. */
  readonly loadedBytes: number;
}

process.once(
  'message',
  async ({ file, event, looksOn }: { file: string; event: unknown; looksOn: boolean }) => {
    let loadedBytes = 0;
    if (looksOn) {
      registerHooks({
        load(url, context, load) {
          if (url.startsWith('file:')) loadedBytes += statSync(fileURLToPath(url)).size;
          return load(url, context);
        },
      });
    }
    const startedAt = performance.now();
    const before = process.cpuUsage();
    const { handler } = await import(file);
    const result = await handler(event, { getRemainingTimeInMillis: () => 10_000, awsRequestId: 'r' });
    const { user, system } = process.cpuUsage(before);
    const coldStart: ColdStart = {
      wallMs: performance.now() - startedAt,
      cpuMs: (user + system) / 1000,
      loadedBytes,
    };
    process.send?.({ coldStart, result: result ?? null }, () => process.exit());
  },
);
