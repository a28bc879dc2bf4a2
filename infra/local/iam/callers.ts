import type { Account } from '../account.ts';
import type { BusRights } from '../eventbridge/delivery.ts';
import type { Invoke } from '../lambda/invoke.ts';
import type { MappingSettings } from '../lambda/mapping.ts';
import { DELETE, INVOKE, LOG, RECEIVE } from '../lambda/rights.ts';
import { type Denial, explain } from '../policy/denial.ts';
import type { ScheduleSettings } from '../scheduler/schedule.ts';
import type { Queues } from '../sqs/queues.ts';
import { SEND } from '../sqs/rights.ts';
import type { Access } from './access.ts';
import type { FunctionIdentities, FunctionIdentity } from './identities.ts';
import type { Principal, Principals } from './principals.ts';

interface CallersOptions extends Account {
  readonly access: Access;
  readonly principals: Principals;
  readonly functions: FunctionIdentities;
  /** Of API Gateway's authorizers, by the id of their API. */
  readonly authorizerIds: ReadonlyMap<string, string>;
  /** Told of what is lost for want of a right. */
  readonly log: (line: string) => void;
}

/** What tells in an event of API Gateway where it comes from. */
interface GatewayEvent {
  readonly type?: string;
  readonly requestContext: {
    readonly apiId: string;
    readonly stage: string;
    readonly routeKey: string;
    /** Of HTTP APIs. */
    readonly http?: { readonly method: string };
  };
}

type Log = (functionName: string, line: string) => void;
type MappingQueues = Pick<Queues, 'receive' | 'remove'>;

const API_GATEWAY = 'apigateway.amazonaws.com';
const EVENTS = 'events.amazonaws.com';

/** What engines do with somebody's rights but without a request to the port: each is handed what checks them first. */
export class Callers {
  readonly #options: CallersOptions;
  /** Functions whose lines are lost, and for want of what. */
  readonly #silenced = new Map<FunctionIdentity, string>();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** API Gateway, which functions have to let in: each route by itself, and an authorizer. */
  ofGateways(invoke: Invoke): Invoke {
    const principal = this.#options.principals.service(API_GATEWAY);
    return this.#invokeAs(principal, invoke, (event) => this.#sourceOf(event as GatewayEvent));
  }

  /** A schedule, which acts in the role of its target; the older kind is a rule, and acts as one. */
  ofSchedule({ name, arn, target: { roleArn } }: ScheduleSettings, invoke: Invoke): Invoke {
    const { principals } = this.#options;
    return roleArn === undefined
      ? this.#invokeAs(principals.service(EVENTS), invoke, () => arn)
      : this.#invokeAs(principals.session(roleArn, name), invoke, () => undefined);
  }

  ofBuses(): BusRights {
    const { principals } = this.#options;
    const events = principals.service(EVENTS);
    return {
      denialOfTarget: ({ service, arn, ruleArn, roleArn }) => {
        // A target that names a role has it in place of the policy of the queue or the function.
        const principal = roleArn === undefined ? events : principals.session(roleArn, 'events');
        return this.#denialOfRule(principal, service === 'sqs' ? SEND : INVOKE, arn, ruleArn);
      },
      denialOfBurial: (ruleArn, queueArn) => this.#denialOfRule(events, SEND, queueArn, ruleArn),
    };
  }

  /** A mapping, which uses its queue with the rights of its function. */
  ofMapping({ functionArn, queueArn }: MappingSettings, queues: MappingQueues): MappingQueues {
    const identity = this.#options.functions.get(functionArn);
    if (!identity) return queues; // its invocations will say that there is no such function
    const { principal, name } = identity;
    return {
      receive: (arn, max, signal) =>
        queues.receive(arn, max, signal, () => this.#denial(principal, RECEIVE, queueArn) === undefined),
      remove: (arn, receiptHandles) => {
        const denial = this.#denial(principal, [DELETE], queueArn);
        if (denial) this.#options.log(`${name}: what it has done will come again: ${explain(denial)}`);
        else queues.remove(arn, receiptHandles);
      },
    };
  }

  /** Lambda, which notes each invocation in the function's log: START, END and REPORT. */
  ofLambda(invoke: Invoke): Invoke {
    return (functionArn, ...rest) => {
      const identity = this.#options.functions.get(functionArn);
      if (identity) this.#mayLog(identity);
      return invoke(functionArn, ...rest);
    };
  }

  /** What functions print, as far as they may log it. */
  ofLogs(log: Log): Log {
    const identities = [...this.#options.functions.values()];
    const byName = new Map(identities.map((identity) => [identity.name, identity]));
    return (functionName, line) => {
      const identity = byName.get(functionName);
      if (!identity || this.#mayLog(identity)) log(functionName, line);
    };
  }

  #invokeAs(principal: Principal, invoke: Invoke, sourceOf: (event: unknown) => string | undefined): Invoke {
    return async (functionArn, event, lineage) => {
      const denial = this.#denial(principal, [INVOKE], functionArn, sourceOf(event));
      if (!denial) return invoke(functionArn, event, lineage);
      const errorMessage = explain(denial);
      return { ok: false, reason: 'denied', errorType: 'AccessDeniedException', errorMessage };
    };
  }

  #denialOfRule(principal: Principal, action: string, arn: string, ruleArn: string): string | undefined {
    const denial = this.#denial(principal, [action], arn, ruleArn);
    return denial && explain(denial);
  }

  /** What API Gateway names as its source: a route of a stage, or an authorizer. */
  #sourceOf({ type, requestContext: { apiId, stage, routeKey, http } }: GatewayEvent): string {
    const { region, accountId, authorizerIds } = this.#options;
    // `POST /pets/{id}` is `POST/pets/{id}`; that `ANY` is the method of the request is [inference].
    const route = http ? routeKey.replace(/^[A-Z]+ /, http.method) : routeKey;
    const path = type === 'REQUEST' ? `authorizers/${authorizerIds.get(apiId)}` : `${stage}/${route}`;
    return `arn:aws:execute-api:${region}:${accountId}:${apiId}/${path}`;
  }

  #mayLog(identity: FunctionIdentity): boolean {
    const denial = this.#denial(identity.principal, LOG, identity.logStreamArn);
    if (!denial) {
      this.#silenced.delete(identity);
      return true;
    }
    // Said once: more would be as much as what is lost.
    if (this.#silenced.get(identity) !== denial.action) {
      this.#silenced.set(identity, denial.action);
      this.#options.log(`${identity.name}: what it logs is lost: ${explain(denial)}`);
    }
    return false;
  }

  /** The first of the actions that the principal may not do. */
  #denial(
    principal: Principal,
    actions: readonly string[],
    resource: string,
    sourceArn?: string,
  ): Denial | undefined {
    const { access, accountId } = this.#options;
    const context = sourceArn && { 'aws:SourceArn': sourceArn, 'aws:SourceAccount': accountId };
    for (const action of actions) {
      const denial = access.check(principal, { action, resource, ...(context && { context }) });
      if (denial) return denial;
    }
    return undefined;
  }
}
