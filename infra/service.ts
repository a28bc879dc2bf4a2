import { join } from 'node:path';
import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  type RecursiveLoop,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { SettingsFile, Variable } from '../shared/lambda/variables.ts';

/** Actions, and the ARNs of what they may be done with. */
export interface Right {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

/** Every right of every Lambda is one call of this, so that a new one is a visible line in a diff. */
export const allow = (actions: readonly string[], ...resources: readonly string[]): Right => ({
  actions,
  resources,
});

/** What a Lambda reads of its variables and of the files beside its code, and everything that it may do. */
export interface Access {
  readonly reads: readonly (Variable | SettingsFile)[];
  readonly rights: readonly Right[];
}

export interface ServiceProps {
  /** Where `bundleServices` wrote. */
  readonly bundle: string;
  /** Folder under `services/`. */
  readonly service: string;
  readonly timeout: Duration;
  readonly memoryMb: number;
  readonly environment: Readonly<Partial<Record<Variable, string>>>;
  readonly rights: readonly Right[];
  /** Whether Lambda ends a chain of some 16 invocations that comes back to this one: by default it does. */
  readonly recursiveLoop?: RecursiveLoop;
  /** How many run at the most, set apart for this function. */
  readonly reservedConcurrency?: number | undefined;
  /** Of its log group. */
  readonly removalPolicy: RemovalPolicy;
}

/** A Lambda with a role of its own, which holds its rights and the one to write to its own log group. */
export class Service extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: ServiceProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: props.removalPolicy,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const writeLog = allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn);
    for (const { actions, resources } of [writeLog, ...props.rights]) {
      role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
    }
    this.function = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(join(props.bundle, props.service)),
      handler: 'index.handler',
      role,
      logGroup,
      timeout: props.timeout,
      memorySize: props.memoryMb,
      environment: props.environment,
      ...(props.recursiveLoop && { recursiveLoop: props.recursiveLoop }),
      ...(props.reservedConcurrency && { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
  }
}
