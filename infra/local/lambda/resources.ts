import type { Grant } from '../policy/grant.ts';
import type { Statement } from '../policy/policy.ts';
import { arnOf, createUuid, named, nameOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import {
  atLeast,
  capacity,
  encryption,
  honoured,
  ignored,
  label,
  matching,
  monitoring,
  noSafetyNet,
  only,
  tags,
  unsupported,
} from '../stack/rules.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import type { FunctionSettings } from './functions.ts';
import type { MappingSettings } from './mapping.ts';

/**
 * Lambda guide, "Lambda quotas": 4 KB. It counts one JSON text of all variables, in which the quotes of a JSON value are
 * escaped: its error message, "exceeded the 4KB limit. String measured: …", shows the text.
 */
const VARIABLES_BYTES_MAX = 4_096;

/** What CloudFormation has of Lambda, and where functions log. */
export const lambdaTypes: ResourceTypes = {
  'Custom::LogRetention': { hint: 'Give the function a logGroup in place of logRetention.' },
  'AWS::Lambda::EventSourceMapping': {
    rules: {
      ...tags,
      EventSourceArn: matching(/^arn:aws:sqs:/, 'an SQS queue', 'Streams do not run locally.'),
      FunctionName: honoured,
      Enabled: honoured,
      BatchSize: honoured,
      MaximumBatchingWindowInSeconds: honoured,
      FunctionResponseTypes: honoured,
      'ScalingConfig.MaximumConcurrency': honoured,
      ProvisionedPollerConfig: capacity,
      MetricsConfig: monitoring,
      KmsKeyArn: encryption,
    },
    naming: {
      createName: createUuid,
      arn: ({ name, region, accountId }) =>
        `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${name}`,
      attributes: { Id: nameOf, EventSourceMappingArn: arnOf },
    },
  },
  'AWS::Lambda::Function': {
    rules: {
      ...tags,
      FunctionName: matching(/^[\w-]{1,64}$/, '1 to 64 letters, digits and "_-"'),
      Handler: honoured,
      Runtime: matching(/^nodejs/, 'a Node.js runtime', 'Other languages do not run locally.'),
      'Code.S3Bucket': ignored('Assets are read where the CDK has put them.'),
      'Code.S3Key': honoured,
      'Code.ZipFile': unsupported('Use Code.fromAsset() in place of Code.fromInline().'),
      'Code.ImageUri': unsupported('Container images do not run locally; use Code.fromAsset().'),
      PackageType: only('Zip', 'Container images do not run locally.'),
      Role: honoured,
      Timeout: honoured,
      MemorySize: honoured,
      'Environment.Variables': {
        kind: 'limited',
        expected: `at most ${VARIABLES_BYTES_MAX} bytes of JSON, as Lambda counts the names and values of all variables`,
        accepts: (variables) => Buffer.byteLength(JSON.stringify(variables)) <= VARIABLES_BYTES_MAX,
        hint: 'Put what is long into a file beside the code, or into SSM Parameter Store.',
      },
      ReservedConcurrentExecutions: atLeast(1, 'Without concurrency the function would never run.'),
      Description: label,
      Architectures: ignored('The function runs on the processor of this machine.'),
      EphemeralStorage: ignored('The function has the disk of this machine.'),
      'LoggingConfig.LogGroup': honoured,
      'LoggingConfig.LogFormat': monitoring,
      'LoggingConfig.ApplicationLogLevel': monitoring,
      'LoggingConfig.SystemLogLevel': monitoring,
      TracingConfig: monitoring,
      KmsKeyArn: encryption,
      SnapStart: ignored('It changes how fast a function starts, not what it does.'),
      RuntimeManagementConfig: ignored('The runtime is the Node.js that runs this program.'),
      RecursiveLoop: honoured,
      Layers: unsupported('Bundle what the layer has with the function.'),
      VpcConfig: unsupported('There are no private networks here.'),
    },
    naming: {
      ...named('FunctionName', 64),
      arn: ({ name, region, accountId }) => `arn:aws:lambda:${region}:${accountId}:function:${name}`,
      attributes: { Arn: arnOf },
    },
    asset: 'Code.S3Key',
  },
  'AWS::Lambda::Permission': {
    rules: {
      Action: honoured,
      FunctionName: honoured,
      Principal: honoured,
      SourceAccount: honoured,
      SourceArn: honoured,
    },
  },
  'AWS::Logs::LogGroup': {
    rules: {
      ...tags,
      LogGroupName: honoured,
      LogGroupClass: monitoring,
      RetentionInDays: monitoring,
      DataProtectionPolicy: monitoring,
      FieldIndexPolicies: monitoring,
      DeletionProtectionEnabled: noSafetyNet,
      KmsKeyId: encryption,
    },
    naming: {
      ...named('LogGroupName', 512),
      arn: ({ name, region, accountId }) => `arn:aws:logs:${region}:${accountId}:log-group:${name}:*`,
      attributes: { Arn: arnOf },
    },
  },
};

/** Lambda's defaults (CloudFormation, AWS::Lambda::Function). */
const TIMEOUT_DEFAULT_SECONDS = 3;
const MEMORY_DEFAULT_MB = 128;
const BATCH_SIZE_DEFAULT = 10;
/** A larger batch has to be gathered (API reference, CreateEventSourceMapping). */
const BATCH_SIZE_WITHOUT_WINDOW_MAX = 10;

/** Where a function logs. */
export const logGroupName = (functionName: string, { LoggingConfig }: Resource['properties']): string =>
  (LoggingConfig as { LogGroup?: string } | undefined)?.LogGroup ?? `/aws/lambda/${functionName}`;

/** The functions of a stack. `variables` are what Lambda itself would add, the function's credentials for one. */
export function functionSettings(
  stack: Stack,
  variables: (functionArn: string) => Readonly<Record<string, string>>,
): FunctionSettings[] {
  return stack.ofType('AWS::Lambda::Function').map(({ logicalId, properties }) => {
    const { Handler, Timeout, MemorySize, Environment, ReservedConcurrentExecutions, RecursiveLoop } =
      properties as {
        Handler: string;
        Timeout?: number | string;
        MemorySize?: number | string;
        Environment?: { Variables?: Record<string, string> };
        ReservedConcurrentExecutions?: number | string;
        RecursiveLoop?: 'Allow' | 'Terminate';
      };
    const arn = stack.arn(logicalId);
    return {
      arn,
      name: stack.physicalName(logicalId),
      logGroupName: logGroupName(stack.physicalName(logicalId), properties),
      codeDirectory: stack.codeDirectory(logicalId),
      handler: Handler,
      timeoutMs: Number(Timeout ?? TIMEOUT_DEFAULT_SECONDS) * 1000,
      memoryMb: Number(MemorySize ?? MEMORY_DEFAULT_MB),
      environment: { ...variables(arn), ...Environment?.Variables },
      allowsLoops: RecursiveLoop === 'Allow',
      ...(ReservedConcurrentExecutions !== undefined && {
        environmentsMax: Number(ReservedConcurrentExecutions),
      }),
    };
  });
}

/** The event source mappings of a stack that are enabled. */
export const mappingSettings = (stack: Stack): MappingSettings[] =>
  stack
    .ofType('AWS::Lambda::EventSourceMapping')
    .filter(({ properties }) => String(properties.Enabled ?? true) === 'true')
    .map(({ logicalId, properties }) => {
      const { EventSourceArn, FunctionName, BatchSize, MaximumBatchingWindowInSeconds } = properties as {
        EventSourceArn: string;
        FunctionName: string;
        BatchSize?: number | string;
        MaximumBatchingWindowInSeconds?: number | string;
      };
      const { FunctionResponseTypes = [], ScalingConfig } = properties as {
        FunctionResponseTypes?: readonly string[];
        ScalingConfig?: { MaximumConcurrency?: number | string };
      };
      const maximum = ScalingConfig?.MaximumConcurrency;
      const batchSize = Number(BatchSize ?? BATCH_SIZE_DEFAULT);
      const batchingWindowSeconds = Number(MaximumBatchingWindowInSeconds ?? 0);
      if (batchSize > BATCH_SIZE_WITHOUT_WINDOW_MAX && batchingWindowSeconds < 1) {
        throw new Error(
          `${logicalId}: expected MaximumBatchingWindowInSeconds of at least 1 with a BatchSize above ${BATCH_SIZE_WITHOUT_WINDOW_MAX}, got ${batchingWindowSeconds} with ${batchSize}`,
        );
      }
      return {
        queueArn: EventSourceArn,
        functionArn: functionArn(stack, FunctionName),
        batchSize,
        batchingWindowSeconds,
        reportBatchItemFailures: FunctionResponseTypes.includes('ReportBatchItemFailures'),
        ...(maximum !== undefined && { maximumConcurrency: Number(maximum) }),
      };
    });

/** Mappings and permissions name their function by name or by ARN. */
export const functionArn = (stack: Stack, nameOrArn: string): string => {
  const named = stack
    .ofType('AWS::Lambda::Function')
    .find(({ logicalId }) => stack.physicalName(logicalId) === nameOrArn);
  return named ? stack.arn(named.logicalId) : nameOrArn;
};

/** Permissions, as Lambda writes them into the function's policy (API reference, AddPermission). */
export function* functionGrants(stack: Stack): Generator<Grant> {
  for (const resource of stack.ofType('AWS::Lambda::Permission')) {
    const { Action, FunctionName, Principal, SourceAccount, SourceArn } = resource.properties as {
      Action: string;
      FunctionName: string;
      Principal: string;
      SourceAccount?: string;
      SourceArn?: string;
    };
    const arn = functionArn(stack, FunctionName);
    const statement: Statement = {
      Effect: 'Allow',
      Principal: Principal.endsWith('.amazonaws.com') ? { Service: Principal } : { AWS: Principal },
      Action,
      Resource: arn,
      Condition: {
        ...(SourceAccount !== undefined && { StringEquals: { 'aws:SourceAccount': SourceAccount } }),
        ...(SourceArn !== undefined && { ArnLike: { 'aws:SourceArn': SourceArn } }),
      },
    };
    yield { arn, resource, property: 'Principal', document: { Statement: statement } };
  }
}
