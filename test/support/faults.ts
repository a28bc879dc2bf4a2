import type { FaultReport, FaultSet } from '../../infra/local/faults/fault.ts';
import type { Ready } from '../../infra/local/ready.ts';

export type { Fault, FaultReport, FaultSet } from '../../infra/local/faults/fault.ts';

/** Nothing goes wrong until a test says so. */
export const NO_FAULTS: FaultSet = { faults: [] };

/** Makes things go wrong in a system that was started with faults allowed. */
export class Faults {
  readonly #url: string;

  constructor({ endpoint }: Pick<Ready, 'endpoint'>) {
    this.#url = `${endpoint}/_fanwire/faults`;
  }

  /** Puts these faults in the place of those there are; answers with the seed too. */
  set(set: FaultSet): Promise<FaultReport> {
    return this.#call('PUT', JSON.stringify(set));
  }

  async clear(): Promise<void> {
    await this.#call('DELETE');
  }

  report(): Promise<FaultReport> {
    return this.#call('GET');
  }

  /** How often each fault has struck, in their order. */
  async strikes(): Promise<number[]> {
    return (await this.report()).faults.map(({ strikes }) => strikes);
  }

  async #call(method: string, body?: string): Promise<FaultReport> {
    const response = await fetch(this.#url, { method, ...(body !== undefined && { body }) });
    const answer = await response.text();
    if (!response.ok) throw new Error(`expected the faults to be taken, got ${response.status} ${answer}`);
    return JSON.parse(answer) as FaultReport;
  }
}
