import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

const WSCAT = join(import.meta.dirname, '../../node_modules/.bin/wscat');

/** `wscat` as a person uses it: lines in, lines out. */
export class Wscat {
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #waiters: { readonly text: string; readonly resolve: () => void }[] = [];

  private constructor(url: string, protocols: readonly string[]) {
    this.#child = spawn(WSCAT, ['-c', url, ...protocols.flatMap((protocol) => ['-s', protocol])]);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#receive(line));
  }

  static async connect(url: string, ...protocols: readonly string[]): Promise<Wscat> {
    const wscat = new Wscat(url, protocols);
    // Without a terminal wscat prints nothing but what comes in, and drops lines until it is connected: the reply to
    // a first command is how we know.
    await until(() => {
      wscat.type({ action: 'ping', id: 'hello' });
      return wscat.count('"id":"hello"') > 0;
    });
    return wscat;
  }

  type(frame: object): void {
    this.#child.stdin.write(`${JSON.stringify(frame)}\n`);
  }

  /** Waits for a line that contains `text`. */
  sees(text: string): Promise<void> {
    if (this.lines.some((line) => line.includes(text))) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ text, resolve }));
  }

  /** How many lines contain `text`. */
  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }

  async quit(): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'exit');
  }

  #receive(line: string): void {
    this.lines.push(line);
    this.#waiters = this.#waiters.filter(({ text, resolve }) => !line.includes(text) || resolve());
  }
}
