import {
  type AccessRequest,
  type CompiledStatement,
  compileStatement,
  type Decision,
  decide,
  type PolicyDocument,
  type Statement,
  statementsOf,
} from './policy.ts';

/** Who acts: a service of AWS, the account's root user, or a session of a role. */
export type Caller =
  | { readonly kind: 'service'; readonly arn: string }
  | { readonly kind: 'root'; readonly arn: string }
  | { readonly kind: 'role'; readonly arn: string; readonly roleArn: string };

/** What a policy on a resource says of a caller's request. */
export type ResourcePolicy = (caller: Caller, request: AccessRequest) => Decision;

type Names = Readonly<Record<'AWS' | 'Service', readonly string[]>>;

interface PrincipalStatement extends CompiledStatement {
  readonly speaksOf: (caller: Caller) => boolean;
}

/** Throws for what cannot be evaluated here, as `compilePolicies` does. */
export function compileResourcePolicies(documents: readonly PolicyDocument[]): ResourcePolicy {
  const statements = documents.flatMap(statementsOf).map(compilePrincipalStatement);
  return (caller, request) =>
    decide(
      statements.filter(({ speaksOf }) => speaksOf(caller)),
      request,
    );
}

function compilePrincipalStatement(statement: Statement): PrincipalStatement {
  const compiled = compileStatement(statement);
  const names = parsePrincipal(statement);
  const { effect } = compiled;
  return { ...compiled, speaksOf: (caller) => isNamed(names, caller, effect) };
}

function parsePrincipal({ Principal, NotPrincipal }: Statement): Names {
  if (NotPrincipal !== undefined) throw new Error('expected Principal, got NotPrincipal');
  if (Principal === '*') return { AWS: ['*'], Service: ['*'] };
  if (typeof Principal !== 'object' || Principal === null) {
    throw new Error(`expected Principal to name somebody, got ${JSON.stringify(Principal)}`);
  }
  const { AWS = [], Service = [] } = Principal as Partial<Record<string, string | string[]>>;
  const named = [AWS].flat();
  // The guide has it that this is the same as '*' alone.
  return { AWS: named, Service: named.includes('*') ? ['*'] : [Service].flat() };
}

function isNamed({ AWS, Service }: Names, caller: Caller, effect: 'Allow' | 'Deny'): boolean {
  if (caller.kind === 'service') return Service.includes('*') || Service.includes(caller.arn);
  const accountId = caller.arn.split(':')[4] ?? '';
  const account = [accountId, `arn:aws:iam::${accountId}:root`];
  const own = caller.kind === 'role' ? [caller.arn, caller.roleArn] : account;
  // To allow something to the account only lets its own policies decide; to deny it denies it to everybody in there.
  const names = effect === 'Deny' ? [...own, ...account] : own;
  return AWS.includes('*') || names.some((name) => AWS.includes(name));
}
