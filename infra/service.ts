import { join } from 'node:path';
import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface ServiceProps {
  /** Where `bundleServices` wrote. */
  readonly bundle: string;
  /** Folder under `services/`. */
  readonly service: string;
  readonly timeout: Duration;
  readonly memoryMb: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A Lambda with a role of its own, which holds nothing but the right to write to its own log. */
export class Service extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: ServiceProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn);
    this.function = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(join(props.bundle, props.service)),
      handler: 'index.handler',
      role: this.role,
      logGroup,
      timeout: props.timeout,
      memorySize: props.memoryMb,
      environment: { ...props.environment },
    });
  }

  /** Every right of every Lambda is one call of this, so that a new one is a visible line in a diff. */
  allow(actions: string[], ...resources: string[]): void {
    this.role.addToPolicy(new PolicyStatement({ actions, resources }));
  }
}
