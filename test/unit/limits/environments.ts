import { createAllowances } from '../../../shared/data/allowances.ts';
import { type CommandLimits, type CostOf, createLimits } from '../../../shared/limits/limits.ts';
import { createRefusals } from '../../../shared/limits/refusals.ts';
import { ClientError } from '../../../shared/protocol/errors.ts';
import type { Amounts, Rates } from '../../../shared/protocol/limits.ts';
import { type MakeRequest, MemoryDynamoDB } from '../../memory/dynamodb.ts';

type Given = {
  readonly rates: Rates;
  readonly publishBytesMax?: number;
  /** Makes requests in place of the memory: counts, delays or refuses them. */
  readonly makeRequest?: MakeRequest;
};

/** Environments that share a table, at a time that only a test moves. */
export class Environments {
  nowMs = Date.UTC(2026, 10, 28);
  readonly tables = new MemoryDynamoDB({ now: () => this.nowMs });
  readonly lines: Readonly<Record<string, unknown>>[] = [];
  /** By operation. */
  readonly requests: string[] = [];
  readonly #given: Given;

  constructor(given: Given) {
    this.#given = given;
  }

  /** A new one, whose clock is so far ahead. */
  start<F = Amounts>(aheadMs = 0, costOf: CostOf<F> = (frame) => frame as Amounts): CommandLimits<F> {
    const { rates, publishBytesMax = 1_048_576, makeRequest } = this.#given;
    const now = () => this.nowMs + aheadMs;
    const counted: MakeRequest = async (request, perform) => {
      this.requests.push(request.operation);
      return makeRequest ? makeRequest(request, perform) : perform();
    };
    const client = this.tables.client(counted);
    const warn = (message: string, fields: object) => void this.lines.push({ message, ...fields });
    return createLimits(
      {
        limits: { rates, publishBytesMax },
        allowances: async () => createAllowances(client, 'access', rates, now),
        refusals: createRefusals({ warn, now }),
        now,
      },
      costOf,
    );
  }
}

/** The refusal of a frame; undefined if it passes. */
export async function refusalBy(
  limits: Pick<CommandLimits<Amounts>, 'charge'>,
  frame: Amounts = {},
  from: object = { userId: 'ada' },
  connectionId = 'c',
): Promise<ClientError | undefined> {
  const bearer = { rights: {}, expiresAtMs: Infinity, ...from };
  try {
    await limits.charge({ connectionId, connectedAtMs: 0, ...('userId' in from && { bearer }) }, frame);
    return undefined;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

/** How many of so many frames pass. */
export async function passing(
  limits: Pick<CommandLimits<Amounts>, 'charge'>,
  frames: number,
  frame: Amounts = {},
) {
  let passed = 0;
  for (let n = 0; n < frames; n++) if (!(await refusalBy(limits, frame))) passed += 1;
  return passed;
}
