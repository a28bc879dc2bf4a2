import { isRecord } from '../../../shared/protocol/json.ts';
import type { BusEvent } from './event.ts';

/** EventBridge retries for a day, up to 185 times (EventBridge guide, "Retrying event delivery"). */
const RETRIES_DEFAULT = 185;
const EVENT_AGE_DEFAULT_SECONDS = 24 * 60 * 60;

/** One of `Targets` of an AWS::Events::Rule. */
export interface TargetProperties {
  readonly Id: string;
  readonly Arn: string;
  readonly RoleArn?: string;
  readonly Input?: string;
  readonly InputPath?: string;
  readonly SqsParameters?: { readonly MessageGroupId: string };
  readonly DeadLetterConfig?: { readonly Arn?: string };
  readonly RetryPolicy?: {
    readonly MaximumRetryAttempts?: number;
    readonly MaximumEventAgeInSeconds?: number;
  };
}

const SUPPORTED: ReadonlySet<string> = new Set([
  'Id',
  'Arn',
  'RoleArn',
  'Input',
  'InputPath',
  'SqsParameters',
  'DeadLetterConfig',
  'RetryPolicy',
] satisfies (keyof TargetProperties)[]);

export interface Target {
  readonly arn: string;
  readonly ruleArn: string;
  readonly service: 'sqs' | 'lambda';
  readonly roleArn: string | undefined;
  /** What the target gets: the envelope, or what its properties make of it. */
  readonly input: (event: BusEvent) => unknown;
  readonly messageGroupId: string | undefined;
  readonly deadLetterArn: string | undefined;
  readonly retriesMax: number;
  readonly eventAgeMaxMs: number;
}

export function parseTarget(properties: TargetProperties, ruleArn: string): Target {
  const unsupported = Object.keys(properties).filter((key) => !SUPPORTED.has(key));
  if (unsupported.length > 0)
    throw new Error(`target property ${unsupported.join(', ')} is not supported locally`);
  const { Arn, RoleArn, SqsParameters, DeadLetterConfig, RetryPolicy = {} } = properties;
  const service = Arn.split(':')[2];
  if (service !== 'sqs' && service !== 'lambda') {
    throw new Error(`expected an SQS queue or a Lambda function as target, got ${Arn}`);
  }
  return {
    arn: Arn,
    ruleArn,
    service,
    roleArn: RoleArn,
    input: parseInput(properties),
    messageGroupId: SqsParameters?.MessageGroupId,
    deadLetterArn: DeadLetterConfig?.Arn,
    retriesMax: RetryPolicy.MaximumRetryAttempts ?? RETRIES_DEFAULT,
    eventAgeMaxMs: (RetryPolicy.MaximumEventAgeInSeconds ?? EVENT_AGE_DEFAULT_SECONDS) * 1000,
  };
}

/** The envelope itself keeps its own text, in which nothing has been rounded. */
export function textFor(target: Target, event: BusEvent): string {
  const input = target.input(event);
  return input === event.envelope ? event.text : JSON.stringify(input);
}

function parseInput({ Input, InputPath }: TargetProperties): Target['input'] {
  if (Input !== undefined) {
    const constant = parseConstant(Input);
    return () => constant;
  }
  if (InputPath === undefined) return (event) => event.envelope;
  if (!/^\$(\.[\w-]+)*$/.test(InputPath)) {
    throw new Error(`expected InputPath to be dotted, like $.detail.order, got ${InputPath}`);
  }
  const keys = InputPath.split('.').slice(1);
  return (event) => keys.reduce<unknown>(memberOf, event.envelope);
}

/** What is not there is null. */
const memberOf = (value: unknown, key: string): unknown =>
  isRecord(value) && Object.hasOwn(value, key) ? value[key] : null;

function parseConstant(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch (cause) {
    throw new Error(`expected Input to be JSON, got ${input}`, { cause });
  }
}
