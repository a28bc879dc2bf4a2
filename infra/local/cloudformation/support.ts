/** What the local engines do with the properties of a type: see `check.ts`. */

export type Rule =
  /** An engine acts on it. */
  | { readonly kind: 'honoured' }
  /** No engine looks at it, and here is why that does no harm. */
  | { readonly kind: 'ignored'; readonly because: string }
  /** An engine acts on these values of it. */
  | {
      readonly kind: 'limited';
      readonly expected: string;
      readonly accepts: (value: unknown) => boolean;
      readonly hint?: string | undefined;
    }
  | { readonly kind: 'unsupported'; readonly hint: string };

/** By property; a dot leads into an object, or into the objects of a list. What is not named is not supported. */
export type Rules = Readonly<Record<string, Rule>>;

const honoured: Rule = { kind: 'honoured' };

const ignored = (because: string): Rule => ({ kind: 'ignored', because });

const unsupported = (hint: string): Rule => ({ kind: 'unsupported', hint });

const only = (value: string | boolean, hint?: string): Rule => ({
  kind: 'limited',
  expected: JSON.stringify(value),
  accepts: (actual) => String(actual) === String(value),
  hint,
});

const matching = (pattern: RegExp, expected: string, hint?: string): Rule => ({
  kind: 'limited',
  expected,
  accepts: (actual) => pattern.test(String(actual)),
  hint,
});

const atLeast = (min: number, hint?: string): Rule => ({
  kind: 'limited',
  expected: `a number of at least ${min}`,
  accepts: (actual) => Number(actual) >= min,
  hint,
});

const label = ignored('It is for people to read.');
const encryption = ignored('Local state is not encrypted.');
const capacity = ignored('Local engines do not throttle.');
const monitoring = ignored('There is no CloudWatch or X-Ray here; log lines go to the terminal.');
const permission = ignored('Only the policies of a function’s role decide here what it may do.');
const noSafetyNet = ignored('Local state can be made again.');

const tags: Rules = { Tags: label };

/** AWS_PROXY hands frames through as they are, so the mapping of requests and responses has no say. */
const proxied = ignored('It has no effect on AWS_PROXY integrations.');

const indexRules = (index: string): Rules => ({
  [`${index}.IndexName`]: honoured,
  [`${index}.KeySchema`]: honoured,
  [`${index}.Projection`]: honoured,
  [`${index}.ProvisionedThroughput`]: capacity,
  [`${index}.OnDemandThroughput`]: capacity,
  [`${index}.WarmThroughput`]: capacity,
  [`${index}.ContributorInsightsSpecification`]: monitoring,
});

/** The types that run locally. */
export const supported: Readonly<Record<string, Rules>> = {
  'AWS::ApiGatewayV2::Api': {
    ...tags,
    Name: label,
    Description: label,
    Version: label,
    ProtocolType: only('WEBSOCKET', 'HTTP APIs do not run locally.'),
    RouteSelectionExpression: honoured,
    DisableSchemaValidation: proxied,
    DisableExecuteApiEndpoint: only(false, 'There are no custom domains here.'),
    IpAddressType: ignored('The local endpoint listens where it is told to.'),
  },
  'AWS::ApiGatewayV2::Integration': {
    ApiId: honoured,
    Description: label,
    IntegrationType: only('AWS_PROXY', 'Routes can only lead to Lambda functions here.'),
    IntegrationUri: matching(/:lambda:path\/.*\/invocations$/, 'the invocation of a Lambda function'),
    IntegrationMethod: proxied,
    PassthroughBehavior: proxied,
    ContentHandlingStrategy: only('CONVERT_TO_TEXT'),
    ConnectionType: only('INTERNET'),
    TimeoutInMillis: honoured,
  },
  'AWS::ApiGatewayV2::Route': {
    ApiId: honoured,
    RouteKey: honoured,
    Target: honoured,
    OperationName: label,
    RouteResponseSelectionExpression: only('$default'),
    ApiKeyRequired: only(false, 'There are no API keys here.'),
    AuthorizationType: only('NONE', 'There are no authorizers here; let the function of $connect decide.'),
  },
  'AWS::ApiGatewayV2::RouteResponse': {
    ApiId: honoured,
    RouteId: honoured,
    RouteResponseKey: only('$default'),
  },
  'AWS::ApiGatewayV2::Stage': {
    ...tags,
    ApiId: honoured,
    StageName: honoured,
    StageVariables: honoured,
    Description: label,
    AutoDeploy: ignored('A change counts from the next start on.'),
    DefaultRouteSettings: capacity,
    RouteSettings: capacity,
    AccessLogSettings: monitoring,
  },
  'AWS::CDK::Metadata': { Analytics: ignored('It is for the CDK team.') },
  'AWS::DynamoDB::Table': {
    ...tags,
    TableName: matching(/^[\w.-]{3,255}$/, '3 to 255 letters, digits and "_.-"'),
    AttributeDefinitions: honoured,
    KeySchema: honoured,
    TimeToLiveSpecification: honoured,
    ...indexRules('GlobalSecondaryIndexes'),
    ...indexRules('LocalSecondaryIndexes'),
    BillingMode: capacity,
    ProvisionedThroughput: capacity,
    OnDemandThroughput: capacity,
    WarmThroughput: capacity,
    TableClass: capacity,
    SSESpecification: encryption,
    PointInTimeRecoverySpecification: noSafetyNet,
    DeletionProtectionEnabled: noSafetyNet,
    ContributorInsightsSpecification: monitoring,
    ResourcePolicy: permission,
    StreamSpecification: unsupported('DynamoDB Streams do not run locally.'),
  },
  'AWS::Events::EventBus': {
    ...tags,
    Name: matching(/^[\w.-]{1,256}$/, '1 to 256 letters, digits and "_.-"'),
    Description: label,
    KmsKeyIdentifier: encryption,
    LogConfig: monitoring,
    Policy: permission,
  },
  'AWS::Events::Rule': {
    ...tags,
    Name: matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits and "_.-"'),
    Description: label,
    EventBusName: honoured,
    EventPattern: honoured,
    ScheduleExpression: honoured,
    State: matching(/^(ENABLED|DISABLED)$/, '"ENABLED" or "DISABLED"'),
    RoleArn: permission,
    'Targets.Id': honoured,
    'Targets.Arn': matching(/^arn:aws:(lambda|sqs):/, 'a Lambda function or an SQS queue'),
    'Targets.Input': honoured,
    'Targets.InputPath': honoured,
    'Targets.SqsParameters': honoured,
    'Targets.DeadLetterConfig': honoured,
    'Targets.RetryPolicy': honoured,
    'Targets.RoleArn': permission,
  },
  'AWS::IAM::ManagedPolicy': {
    ManagedPolicyName: honoured,
    Path: honoured,
    PolicyDocument: honoured,
    Roles: honoured,
    Description: label,
  },
  'AWS::IAM::Policy': {
    PolicyName: honoured,
    PolicyDocument: honoured,
    Roles: honoured,
  },
  'AWS::IAM::Role': {
    ...tags,
    RoleName: honoured,
    Path: honoured,
    Policies: honoured,
    ManagedPolicyArns: honoured,
    Description: label,
    AssumeRolePolicyDocument: ignored('A function gets the credentials of its role without asking for them.'),
    MaxSessionDuration: ignored('Local credentials do not expire.'),
  },
  'AWS::Lambda::EventSourceMapping': {
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
  'AWS::Lambda::Function': {
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
    'Environment.Variables': honoured,
    ReservedConcurrentExecutions: atLeast(1, 'Without concurrency the function would never run.'),
    Description: label,
    Architectures: ignored('The function runs on the processor of this machine.'),
    EphemeralStorage: ignored('The function has the disk of this machine.'),
    LoggingConfig: monitoring,
    TracingConfig: monitoring,
    KmsKeyArn: encryption,
    SnapStart: ignored('It changes how fast a function starts, not what it does.'),
    RuntimeManagementConfig: ignored('The runtime is the Node.js that runs this program.'),
    RecursiveLoop: ignored('Loops are not looked for.'),
    Layers: unsupported('Bundle what the layer has with the function.'),
    VpcConfig: unsupported('There are no private networks here.'),
  },
  'AWS::Lambda::Permission': {
    Action: permission,
    FunctionName: permission,
    Principal: permission,
    SourceAccount: permission,
    SourceArn: permission,
  },
  'AWS::Logs::LogGroup': {
    ...tags,
    LogGroupName: honoured,
    LogGroupClass: monitoring,
    RetentionInDays: monitoring,
    DataProtectionPolicy: monitoring,
    FieldIndexPolicies: monitoring,
    DeletionProtectionEnabled: noSafetyNet,
    KmsKeyId: encryption,
  },
  'AWS::SQS::Queue': {
    ...tags,
    QueueName: matching(
      /^[\w-]{1,80}$/,
      '1 to 80 letters, digits and "_-"',
      'FIFO queues do not run locally.',
    ),
    FifoQueue: only(false, 'FIFO queues do not run locally.'),
    DelaySeconds: honoured,
    MaximumMessageSize: honoured,
    MessageRetentionPeriod: honoured,
    ReceiveMessageWaitTimeSeconds: honoured,
    RedrivePolicy: honoured,
    VisibilityTimeout: honoured,
    RedriveAllowPolicy: permission,
    KmsMasterKeyId: encryption,
    KmsDataKeyReusePeriodSeconds: encryption,
    SqsManagedSseEnabled: encryption,
  },
  'AWS::SQS::QueuePolicy': { PolicyDocument: permission, Queues: permission },
  'AWS::Scheduler::Schedule': {
    Name: matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits and "_.-"'),
    GroupName: only('default'),
    Description: label,
    ScheduleExpression: honoured,
    ScheduleExpressionTimezone: matching(/^(Etc\/)?UTC$/, 'UTC', 'Schedules run in UTC here.'),
    State: matching(/^(ENABLED|DISABLED)$/, '"ENABLED" or "DISABLED"'),
    FlexibleTimeWindow: ignored('The moment itself is within every window.'),
    'Target.Arn': matching(/^arn:aws:lambda:/, 'a Lambda function'),
    'Target.Input': honoured,
    'Target.RetryPolicy': ignored('After a run that fails comes the next one.'),
    'Target.RoleArn': permission,
    KmsKeyArn: encryption,
  },
};

/** What to do about types that people are likely to have. */
export const hints: Readonly<Record<string, string>> = {
  'AWS::ApiGatewayV2::Authorizer': 'There are no authorizers here; let the function of $connect decide.',
  'AWS::DynamoDB::GlobalTable': 'Use the construct Table in place of TableV2.',
  'Custom::LogRetention': 'Give the function a logGroup in place of logRetention.',
};
