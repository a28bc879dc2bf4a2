import { type AccessKey, createSessionCredentials, type SessionCredentials } from '../credentials.ts';
import { compilePolicies, type Policy } from '../policy/policy.ts';
import type { Caller } from '../policy/resource-policy.ts';

/** Who makes a request, and what its own policies allow. */
export interface Principal {
  readonly caller: Caller;
  readonly policy: Policy;
}

/** Whose an access key is, and what else it takes to use it. */
interface KeyHolder {
  readonly principal: Principal;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Without it, as long as the runtime runs. */
  readonly expiresAtMs?: number;
}

interface PrincipalsOptions {
  readonly accountId: string;
  /** Of the user who may do everything. */
  readonly credentials: AccessKey;
  /** What the template allows its roles, by their name. */
  readonly policies: ReadonlyMap<string, Policy>;
}

const NOTHING = compilePolicies([]);
const EVERYTHING = compilePolicies([
  { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } },
]);

/** All who can act on the local account: its root user, sessions of roles, and services of AWS. */
export class Principals {
  readonly #accountId: string;
  readonly #policies: ReadonlyMap<string, Policy>;
  readonly #keys = new Map<string, KeyHolder>();

  constructor({ accountId, credentials, policies }: PrincipalsOptions) {
    this.#accountId = accountId;
    this.#policies = policies;
    const { accessKeyId, secretAccessKey } = credentials;
    const principal: Principal = {
      caller: { kind: 'root', arn: `arn:aws:iam::${accountId}:root` },
      policy: EVERYTHING,
    };
    this.#keys.set(accessKeyId, { principal, secretAccessKey });
  }

  find(accessKeyId: string): KeyHolder | undefined {
    return this.#keys.get(accessKeyId);
  }

  /** Who acts in a session of a role. A role that the template does not know may do nothing. */
  session(roleArn: string, sessionName: string): Principal {
    const roleName = roleNameOf(roleArn);
    const arn = `arn:aws:sts::${this.#accountId}:assumed-role/${roleName}/${sessionName}`;
    return { caller: { kind: 'role', arn, roleArn }, policy: this.#policies.get(roleName) ?? NOTHING };
  }

  /** Credentials for a session of a role. */
  assumeRole(roleArn: string, sessionName: string, expiresAtMs?: number): SessionCredentials {
    const credentials = createSessionCredentials();
    const { accessKeyId, ...secrets } = credentials;
    this.#keys.set(accessKeyId, {
      ...secrets,
      principal: this.session(roleArn, sessionName),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
    });
    return credentials;
  }

  /** `events.amazonaws.com`, for one: only policies of resources can allow it anything. */
  service(name: string): Principal {
    return { caller: { kind: 'service', arn: name }, policy: NOTHING };
  }
}

/** `Worker` from `arn:aws:iam::000000000000:role/some/path/Worker`. */
export const roleNameOf = (roleArn: string): string => roleArn.slice(roleArn.lastIndexOf('/') + 1);
