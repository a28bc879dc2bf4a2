import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Order, Report, Target } from './message.ts';
import type { Variant } from './variants.ts';

interface Endpoint {
  readonly endpoint: string;
  readonly ca: string;
  stop(): Promise<void>;
}

async function stop(child: ChildProcess): Promise<void> {
  child.disconnect();
  if (child.exitCode === null) await once(child, 'exit');
}

/** Answers after a time between the two, evenly spread. */
export async function startEndpoint(kind: 'tcp' | 'tls', delayMsMin = 0, delayMsMax = 0): Promise<Endpoint> {
  const child = fork(join(import.meta.dirname, 'endpoint.ts'), [kind, `${delayMsMin}`, `${delayMsMax}`]);
  const [{ port, ca }] = (await once(child, 'message')) as [{ port: number; ca: string }];
  const scheme = kind === 'tls' ? 'https' : 'http';
  return { endpoint: `${scheme}://127.0.0.1:${port}/prod`, ca, stop: () => stop(child) };
}

/** One variant in a process of its own. */
export class Client {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(variant: Variant, { endpoint, ca, socketsMax }: Target): Promise<Client> {
    const target = JSON.stringify({ endpoint, ca, socketsMax });
    const client = new Client(fork(join(import.meta.dirname, 'client.ts'), [variant, target]));
    await client.#answer();
    return client;
  }

  async run(order: Order): Promise<Report> {
    this.#child.send(order);
    return (await this.#answer()) as Report; // what client.ts sends
  }

  stop(): Promise<void> {
    return stop(this.#child);
  }

  async #answer(): Promise<unknown> {
    const ended = new AbortController();
    const exit = once(this.#child, 'exit', { signal: ended.signal }).then(([code]) => {
      throw new Error(`expected the client to go on, got exit ${code}`);
    });
    exit.catch(() => {}); // it lost the race
    try {
      const [message] = await Promise.race([once(this.#child, 'message', { signal: ended.signal }), exit]);
      return message;
    } finally {
      ended.abort();
    }
  }
}
