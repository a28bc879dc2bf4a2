import { randomUUID } from 'node:crypto';
import type { Account } from '../account.ts';
import { Delays } from '../delays.ts';
import {
  answer,
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  isUnavailable,
  operationOf,
  parseInput,
  unknownOperation,
} from '../http/engine.ts';
import { Deliveries, type DeliveryDeps } from './delivery.ts';
import {
  type BusEvent,
  checkRequest,
  type Entry,
  parseEntries,
  type Refusal,
  sizeOf,
  toEvent,
} from './event.ts';
import type { BusFaults } from './faults.ts';
import type { BusMeter } from './meter.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { busNameOf, DEFAULT_BUS } from './resources.ts';
import { parseTarget, type Target, type TargetProperties } from './target.ts';

export interface BusesOptions extends Account, DeliveryDeps {
  readonly faults?: BusFaults | undefined;
  readonly meter?: BusMeter;
}

export interface RuleDefinition {
  readonly name: string;
  readonly arn: string;
  /** A name or an ARN. */
  readonly busName: string;
  readonly eventPattern: unknown;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly targets: readonly TargetProperties[];
}

interface PutEventsOutput {
  readonly FailedEntryCount: number;
  /** In the order of the request. */
  readonly Entries: readonly ({ readonly EventId: string } | Refusal)[];
}

interface Rule {
  readonly matches: Pattern;
  readonly targets: readonly Target[];
}

/** A request has up to 1 MB of events, and JSON may write a character of them with six. */
const BODY_BYTES_MAX = 7 * 1024 * 1024;

const IN_TIME: readonly number[] = [0];

/** Targets of one rule, a quota that cannot be raised, and characters of its pattern, one that can (EventBridge quotas). */
const TARGETS_MAX = 5;
const PATTERN_CHARACTERS_QUOTA = 2_048;

/** EventBridge: event buses, their rules, and PutEvents. */
export class Buses implements HttpEngine {
  readonly #options: BusesOptions;
  readonly #deliveries: Deliveries;
  /** Of answers. */
  readonly #delays: Delays;
  /** Rules by the name of their bus. Every account has a default bus. */
  readonly #rules = new Map<string, Rule[]>([[DEFAULT_BUS, []]]);

  constructor(options: BusesOptions) {
    this.#options = options;
    this.#deliveries = new Deliveries(options);
    this.#delays = new Delays(options.clock);
  }

  addBus(name: string): void {
    if (!this.#rules.has(name)) this.#rules.set(name, []);
  }

  /** A disabled rule is checked like any other and then left out. */
  addRule({ name, arn, busName, eventPattern, state, targets }: RuleDefinition): void {
    try {
      this.#check(name, eventPattern, targets.length);
      const rule = {
        matches: compilePattern(eventPattern),
        targets: targets.map((target) => parseTarget(target, arn)),
      };
      const rules = this.#rules.get(busNameOf(busName));
      if (!rules) throw new Error(`expected an event bus, got ${busName}, which does not exist`);
      if (state === 'ENABLED') rules.push(rule);
    } catch (error) {
      throw new Error(`rule ${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }

  bodyBytesMax(): number {
    return BODY_BYTES_MAX;
  }

  handle(request: HttpRequest, body: Buffer, response: HttpResponse): Promise<void> {
    return answer(response, '1.1', () => {
      const operation = operationOf(request);
      if (operation !== 'PutEvents') throw unknownOperation(operation);
      return this.#late(this.putEvents(parseEntries(parseInput(body))));
    });
  }

  /** What goes to queues is on disk when this returns. Throws a `RequestError` for a request that fails as a whole. */
  putEvents(entries: readonly Entry[]): PutEventsOutput {
    checkRequest(entries);
    const results = entries.map((entry) => this.#put(entry));
    return { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results };
  }

  /** Waits for what is running. The queues have to be open until then. */
  close(): Promise<void> {
    this.#delays.endAll();
    return this.#deliveries.close();
  }

  /** Throws, or warns, of what AWS refuses in a rule apart from what its pattern and its targets say. */
  #check(name: string, eventPattern: unknown, targetCount: number): void {
    if (eventPattern === undefined) {
      throw new Error('Parameter(s) EventPattern or ScheduleExpression must be specified.');
    }
    if (targetCount > TARGETS_MAX)
      throw new Error(`expected at most ${TARGETS_MAX} targets, got ${targetCount}`);
    const { length } = JSON.stringify(eventPattern);
    if (length <= PATTERN_CHARACTERS_QUOTA) return;
    this.#options.log(
      `rule ${name}: its pattern has ${length} characters; an account takes ${PATTERN_CHARACTERS_QUOTA} unless its quota is raised`,
    );
  }

  async #late(output: PutEventsOutput): Promise<PutEventsOutput> {
    const lateMs = this.#options.faults?.answerMs?.() ?? 0;
    if (lateMs > 0) await this.#delays.wait(lateMs);
    return output;
  }

  #put(entry: Entry): PutEventsOutput['Entries'][number] {
    const { region, accountId, clock, log, faults, meter } = this.#options;
    const { EventBusName = DEFAULT_BUS, DetailType = '' } = entry;
    const busName = busNameOf(EventBusName);
    const code = faults?.refusal?.(busName, DetailType);
    if (code) return { ErrorCode: code, ErrorMessage: 'refused by a fault that is in force' };
    const event = toEvent(entry, { id: randomUUID(), nowMs: clock.now(), region, accountId });
    if ('ErrorCode' in event) return event;
    const rules = this.#rules.get(busName);
    // As on AWS: a caller cannot tell a bus that does not exist from one without rules.
    if (rules) meter?.published(busName, sizeOf(entry));
    else log(`event ${event.id} is lost: there is no event bus ${EventBusName}`);
    for (const { matches, targets } of rules ?? []) {
      if (!matches(event.envelope)) continue;
      for (const target of targets) {
        const copies = faults?.copies?.(busName, DetailType) ?? IN_TIME;
        const refusal = this.#deliver(event, target, copies);
        if (refusal) return refusal;
      }
    }
    return { EventId: event.id };
  }

  /** What cannot be kept for its target is not accepted, even if another target has it by now: its caller tries again. */
  #deliver(event: BusEvent, target: Target, copies: readonly number[]): Refusal | undefined {
    try {
      for (const delayMs of copies) this.#deliveries.deliver(event, target, delayMs);
      return undefined;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      return { ErrorCode: 'InternalFailure', ErrorMessage: 'a target cannot take events now' };
    }
  }
}
