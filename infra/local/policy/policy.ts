import { type Condition, type ConditionBlock, type Context, compileCondition } from './condition.ts';
import { compileWildcard, type Matcher } from './wildcard.ts';

/** A policy as templates, roles and authorizers have it. */
export interface PolicyDocument {
  readonly Version?: string;
  readonly Statement: Statement | readonly Statement[];
}

export interface Statement {
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string | readonly string[];
  readonly Condition?: ConditionBlock;
  /** Of resource policies; see `resource-policy.ts`. */
  readonly Principal?: unknown;
  readonly NotPrincipal?: unknown;
}

export interface AccessRequest {
  /** `dynamodb:PutItem`. */
  readonly action: string;
  /** An ARN. */
  readonly resource: string;
  readonly context?: Context;
}

/** `implicitly denied`: nothing speaks of it. */
export type Decision = 'allowed' | 'denied' | 'implicitly denied';

export type Policy = (request: AccessRequest) => Decision;

/** Whether the statement speaks of the request. */
export interface CompiledStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly matches: (request: AccessRequest) => boolean;
}

const NO_CONTEXT: Context = {};

/** What the policies together say of a request, whoever makes it. */
export const evaluate = (documents: readonly PolicyDocument[], request: AccessRequest): Decision =>
  compilePolicies(documents)(request);

/** `evaluate` for policies that are asked often. Throws for what cannot be evaluated here, an unknown operator for one. */
export function compilePolicies(documents: readonly PolicyDocument[]): Policy {
  const statements = documents.flatMap(statementsOf).map(compileStatement);
  return (request) => decide(statements, request);
}

export const statementsOf = ({ Statement }: PolicyDocument): readonly Statement[] => [Statement].flat();

/** Every condition key that a document asks for. */
export const conditionKeysOf = (document: PolicyDocument): string[] =>
  statementsOf(document).flatMap(({ Condition = {} }) => Object.values(Condition).flatMap(Object.keys));

/** One Deny is enough. */
export function decide(statements: readonly CompiledStatement[], request: AccessRequest): Decision {
  let decision: Decision = 'implicitly denied';
  for (const { effect, matches } of statements) {
    if ((effect === 'Allow' && decision === 'allowed') || !matches(request)) continue;
    if (effect === 'Deny') return 'denied';
    decision = 'allowed';
  }
  return decision;
}

export function compileStatement(statement: Statement): CompiledStatement {
  const { Effect: effect, Action, NotAction, Resource, NotResource, Condition } = statement;
  if (effect !== 'Allow' && effect !== 'Deny') {
    throw new Error(`expected Effect to be Allow or Deny, got ${JSON.stringify(effect)}`);
  }
  const isAction = compileElement('Action', lower(Action), lower(NotAction));
  const isResource = compileElement('Resource', Resource, NotResource);
  const holds: Condition | undefined = Condition && compileCondition(Condition);
  const matches = ({ action, resource, context = NO_CONTEXT }: AccessRequest): boolean =>
    isAction(action.toLowerCase()) && isResource(resource) && (holds === undefined || holds(context));
  return { effect, matches };
}

type Texts = string | readonly string[] | undefined;

const lower = (texts: Texts): Texts => texts && [texts].flat().map((text) => String(text).toLowerCase());

function compileElement(name: string, texts: Texts, notTexts: Texts): Matcher {
  const given = texts ?? notTexts;
  if (given === undefined || (texts !== undefined && notTexts !== undefined)) {
    throw new Error(`expected a statement with ${name} or Not${name}, got ${given ? 'both' : 'neither'}`);
  }
  const patterns = [given].flat();
  const variable = patterns.find((text) => text.includes('${'));
  if (variable !== undefined) throw new Error(`expected ${name} without policy variables, got ${variable}`);
  const matchers = patterns.map(compileWildcard);
  const wanted = texts !== undefined;
  return (text) => matchers.some((matches) => matches(text)) === wanted;
}
