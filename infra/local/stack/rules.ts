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

const everyMatching = (pattern: RegExp, expected: string): Rule => ({
  kind: 'limited',
  expected,
  accepts: (actual) => Array.isArray(actual) && actual.every((item) => pattern.test(String(item))),
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
const routeSettings = ignored('Only the throttles of the account are here, and there is no CloudWatch.');
const monitoring = ignored('There is no CloudWatch or X-Ray here; log lines go to the terminal.');
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
  'AWS::ApiGatewayV2::Authorizer': {
    ApiId: honoured,
    Name: label,
    AuthorizerType: only('REQUEST', 'WebSocket APIs have no other authorizers of their own.'),
    AuthorizerUri: matching(/:lambda:path\/.*\/invocations$/, 'the invocation of a Lambda function'),
    AuthorizerCredentialsArn: unsupported('Let API Gateway in with an AWS::Lambda::Permission.'),
    IdentitySource: everyMatching(
      /^route\.request\.(header|querystring)\../,
      'a list of route.request.header.… and route.request.querystring.…',
    ),
    IdentityValidationExpression: ignored('API Gateway has no use for it either.'),
    AuthorizerResultTtlInSeconds: unsupported('API Gateway caches no results for WebSocket APIs.'),
    EnableSimpleResponses: only(false, 'Authorizers of WebSocket APIs answer with policies.'),
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
    AuthorizationType: matching(
      /^(NONE|CUSTOM)$/,
      '"NONE" or "CUSTOM"',
      'Handshakes are not checked for signatures here; use a Lambda authorizer.',
    ),
    AuthorizerId: honoured,
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
    DefaultRouteSettings: routeSettings,
    RouteSettings: routeSettings,
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
    'ResourcePolicy.PolicyDocument': honoured,
    StreamSpecification: unsupported('DynamoDB Streams do not run locally.'),
  },
  'AWS::Events::EventBus': {
    ...tags,
    Name: matching(/^[\w.-]{1,256}$/, '1 to 256 letters, digits and "_.-"'),
    Description: label,
    KmsKeyIdentifier: encryption,
    LogConfig: monitoring,
    Policy: honoured,
  },
  'AWS::Events::Rule': {
    ...tags,
    Name: matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits and "_.-"'),
    Description: label,
    EventBusName: honoured,
    EventPattern: honoured,
    ScheduleExpression: honoured,
    State: matching(/^(ENABLED|DISABLED)$/, '"ENABLED" or "DISABLED"'),
    RoleArn: ignored('It is for targets that are event buses.'),
    'Targets.Id': honoured,
    'Targets.Arn': matching(/^arn:aws:(lambda|sqs):/, 'a Lambda function or an SQS queue'),
    'Targets.Input': honoured,
    'Targets.InputPath': honoured,
    'Targets.SqsParameters': honoured,
    'Targets.DeadLetterConfig': honoured,
    'Targets.RetryPolicy': honoured,
    'Targets.RoleArn': honoured,
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
    AssumeRolePolicyDocument: honoured,
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
    'LoggingConfig.LogGroup': honoured,
    'LoggingConfig.LogFormat': monitoring,
    'LoggingConfig.ApplicationLogLevel': monitoring,
    'LoggingConfig.SystemLogLevel': monitoring,
    TracingConfig: monitoring,
    KmsKeyArn: encryption,
    SnapStart: ignored('It changes how fast a function starts, not what it does.'),
    RuntimeManagementConfig: ignored('The runtime is the Node.js that runs this program.'),
    RecursiveLoop: ignored('Loops are not looked for.'),
    Layers: unsupported('Bundle what the layer has with the function.'),
    VpcConfig: unsupported('There are no private networks here.'),
  },
  'AWS::Lambda::Permission': {
    Action: honoured,
    FunctionName: honoured,
    Principal: honoured,
    SourceAccount: honoured,
    SourceArn: honoured,
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
    RedriveAllowPolicy: ignored('Any queue may have any other for its dead letters here.'),
    KmsMasterKeyId: encryption,
    KmsDataKeyReusePeriodSeconds: encryption,
    SqsManagedSseEnabled: encryption,
  },
  'AWS::SQS::QueuePolicy': { PolicyDocument: honoured, Queues: honoured },
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
    'Target.RoleArn': honoured,
    KmsKeyArn: encryption,
  },
};

/** What to do about types that people are likely to have. */
export const hints: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::GlobalTable': 'Use the construct Table in place of TableV2.',
  'Custom::LogRetention': 'Give the function a logGroup in place of logRetention.',
};
