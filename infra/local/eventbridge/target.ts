import { memberText } from '../../../shared/protocol/source.ts';
import type { BusEvent } from './event.ts';

/** EventBridge retries for a day, up to 185 times: the most there is (EventBridge guide, "Retrying event delivery"). */
const RETRIES_DEFAULT = 185;
const EVENT_AGE_DEFAULT_SECONDS = 24 * 60 * 60;
const EVENT_AGE_MIN_SECONDS = 60;

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
  /** What the target gets: the text of the envelope, or what its properties make of it. Nothing in it is rounded. */
  readonly input: (event: BusEvent) => string;
  readonly messageGroupId: string | undefined;
  readonly deadLetterArn: string | undefined;
  readonly retriesMax: number;
  readonly eventAgeMaxMs: number;
}

export function parseTarget(properties: TargetProperties, ruleArn: string): Target {
  const unsupported = Object.keys(properties).filter((key) => !SUPPORTED.has(key));
  if (unsupported.length > 0)
    throw new Error(`target property ${unsupported.join(', ')} is not supported locally`);
  checkTarget(properties);
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

/** Throws where AWS does when it is given a target (EventBridge API reference, Target, RetryPolicy). */
function checkTarget({ Id, Input, InputPath, RetryPolicy = {} }: TargetProperties): void {
  if (!/^[\w.-]{1,64}$/.test(Id)) {
    throw new Error(`expected a target Id of 1 to 64 letters, digits and "_.-", got ${Id}`);
  }
  if (Input !== undefined && InputPath !== undefined) {
    throw new Error(`Only one of Input, InputPath, or InputTransformer must be provided for target ${Id}.`);
  }
  const { MaximumRetryAttempts: retries = 0, MaximumEventAgeInSeconds: age = EVENT_AGE_MIN_SECONDS } =
    RetryPolicy;
  if (retries < 0 || retries > RETRIES_DEFAULT) {
    throw new Error(`expected MaximumRetryAttempts from 0 to ${RETRIES_DEFAULT}, got ${retries}`);
  }
  if (age < EVENT_AGE_MIN_SECONDS || age > EVENT_AGE_DEFAULT_SECONDS) {
    throw new Error(
      `expected MaximumEventAgeInSeconds from ${EVENT_AGE_MIN_SECONDS} to ${EVENT_AGE_DEFAULT_SECONDS}, got ${age}`,
    );
  }
}

function parseInput({ Input, InputPath }: TargetProperties): Target['input'] {
  if (Input !== undefined) {
    expectJson(Input);
    return () => Input;
  }
  if (InputPath === undefined) return (event) => event.text;
  if (!/^\$(\.[\w-]+)*$/.test(InputPath)) {
    throw new Error(`expected InputPath to be dotted, like $.detail.order, got ${InputPath}`);
  }
  const keys = InputPath.split('.').slice(1);
  return (event) => keys.reduce((json, key) => memberText(json, key) ?? NOTHING, event.text);
}

/** What is not there is null. */
const NOTHING = 'null';

function expectJson(input: string): void {
  try {
    JSON.parse(input);
  } catch (cause) {
    throw new Error(`expected Input to be JSON, got ${input}`, { cause });
  }
}
