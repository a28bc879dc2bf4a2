import type { Account } from '../account.ts';
import { lastOf } from '../last.ts';
import type { Context } from '../policy/condition.ts';
import type { Denial } from '../policy/denial.ts';
import type { AccessRequest } from '../policy/policy.ts';
import type { ResourcePolicy } from '../policy/resource-policy.ts';
import type { Principal } from './principals.ts';

/** For tests of least privilege. Both are asked for every principal, services and the root user too. */
export interface AccessHooks {
  /** Denies what the policies would allow. */
  readonly deny?: (principalArn: string, action: string, resource: string) => boolean;
  /** Told what was allowed. */
  readonly onUse?: (principalArn: string, action: string, resource: string) => void;
}

interface AccessOptions extends Account, AccessHooks {
  /** Policies of resources, by ARN. */
  readonly resourcePolicies: ReadonlyMap<string, ResourcePolicy>;
}

/** Decides who may do what to which resource of the account. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /**
   * Undefined if the principal may. Within one account its own policies or the resource's have to allow it, and
   * neither may deny it (IAM guide, "Policy evaluation for requests within a single account").
   */
  check(principal: Principal, { action, resource, context }: AccessRequest): Denial | undefined {
    const { deny, onUse } = this.#options;
    const { arn: principalArn } = principal.caller;
    const own = this.#contextOf(principal);
    const reason = this.#reason(principal, {
      action,
      resource,
      context: context ? { ...context, ...own } : own,
    });
    if (reason !== undefined) return { principalArn, action, resource, reason };
    if (deny?.(principalArn, action, resource)) {
      return { principalArn, action, resource, reason: 'explicit deny in identity-based policy' };
    }
    onUse?.(principalArn, action, resource);
    return undefined;
  }

  #reason({ caller, policy }: Principal, request: AccessRequest): Denial['reason'] | undefined {
    const own = policy(request);
    if (own === 'denied') return 'explicit deny in identity-based policy';
    const policyOfResource = this.#options.resourcePolicies.get(ownerOf(request.resource));
    const others = policyOfResource?.(caller, request) ?? 'implicitly denied';
    if (others === 'denied') return 'explicit deny in resource-based policy';
    if (own === 'allowed' || others === 'allowed') return undefined;
    return caller.kind === 'service' ? 'no resource-based policy' : 'no identity-based policy';
  }

  /** The same for whatever a principal asks for. */
  readonly #contextOf = lastOf(({ caller }: Principal): Context => {
    const { region, accountId } = this.#options;
    return {
      'aws:RequestedRegion': region,
      // AWS is reached through TLS only. Policies that ask for it must not refuse here, where there is none.
      'aws:SecureTransport': 'true',
      'aws:PrincipalIsAWSService': String(caller.kind === 'service'),
      ...(caller.kind !== 'service' && {
        'aws:PrincipalAccount': accountId,
        'aws:PrincipalArn': caller.kind === 'role' ? caller.roleArn : caller.arn,
      }),
    };
  });
}

/** An index has the policy of its table. */
const ownerOf = (resource: string): string =>
  resource.includes('/index/') ? resource.replace(/\/index\/[^/]+$/, '') : resource;
