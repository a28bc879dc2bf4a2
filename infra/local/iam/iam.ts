import type { Account } from '../account.ts';
import type { Clock } from '../clock.ts';
import type { AccessKey, SessionCredentials } from '../credentials.ts';
import type { GuardedService } from '../http/rights.ts';
import type { Grant } from '../policy/grant.ts';
import { TemplateError } from '../stack/problems.ts';
import type { Stack } from '../stack/stack.ts';
import { Access, type AccessHooks } from './access.ts';
import { Callers } from './callers.ts';
import { readResourcePolicies } from './grants.ts';
import { Guard } from './guard.ts';
import { type FunctionIdentities, identifyFunctions } from './identities.ts';
import { PolicyProblems } from './policy-problems.ts';
import { Principals } from './principals.ts';
import { readRoles } from './roles.ts';
import { checkMappings, checkTrust } from './startup.ts';

interface IamOptions extends Account, AccessHooks {
  /** Of the root user. */
  readonly credentials: AccessKey;
  readonly clock: Pick<Clock, 'now'>;
  /** Those whose requests come to the port. */
  readonly services: readonly GuardedService[];
  /** What a template allows others to do with its resources. */
  readonly grants: (stack: Stack) => readonly Grant[];
  /** Told of what is lost for want of a right. */
  readonly log: (line: string) => void;
}

/** Who may do what, as the template has it. */
export class Iam {
  /** For requests that come to the port. */
  readonly guard: Guard;
  /** For everything else. */
  readonly callers: Callers;
  readonly #principals: Principals;
  readonly #functions: FunctionIdentities;

  /** Throws a `TemplateError` that says all that AWS would refuse, and all that cannot be evaluated here. */
  constructor(stack: Stack, options: IamOptions) {
    const problems = new PolicyProblems(options.services.flatMap(({ conditionKeys = [] }) => conditionKeys));
    const roles = readRoles(stack, problems);
    const resourcePolicies = readResourcePolicies(options.grants(stack), problems);
    const principals = new Principals({ ...options, policies: roles.policies });
    const access = new Access({ ...options, resourcePolicies });
    const functions = identifyFunctions(stack, principals, options);
    checkTrust(stack, roles, options, problems);
    // Of a policy that could not be read, the first is problem enough.
    if (problems.found.length === 0) checkMappings(stack, functions, access, problems);
    if (problems.found.length > 0) throw new TemplateError(stack.name, problems.found);
    const authorizerIds = authorizerIdsOf(stack);
    this.guard = new Guard({ ...options, principals, access });
    this.callers = new Callers({ ...options, principals, access, functions, authorizerIds });
    this.#principals = principals;
    this.#functions = functions;
  }

  /** Credentials for a session of a role, to act as a function of it would. */
  assumeRole(roleArn: string, sessionName: string, expiresAtMs?: number): SessionCredentials {
    return this.#principals.assumeRole(roleArn, sessionName, expiresAtMs);
  }

  credentialsOf(functionArn: string): SessionCredentials {
    const identity = this.#functions.get(functionArn);
    if (!identity) throw new Error(`expected a function of the template, got ${functionArn}`);
    return this.assumeRole(identity.roleArn, identity.name);
  }
}

const authorizerIdsOf = (stack: Stack): ReadonlyMap<string, string> =>
  new Map(
    stack
      .ofType('AWS::ApiGatewayV2::Route')
      .filter(({ properties }) => properties.AuthorizerId !== undefined)
      .map(({ properties }) => [String(properties.ApiId), String(properties.AuthorizerId)]),
  );
