import type { PolicyDocument } from '../policy/policy.ts';

const LOGS = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'];
const NETWORK_INTERFACES = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
const TRACES = [
  'xray:PutTraceSegments',
  'xray:PutTelemetryRecords',
  'xray:GetSamplingRules',
  'xray:GetSamplingTargets',
  'xray:GetSamplingStatisticSummaries',
];

const allow = (Action: string | readonly string[], Resource = '*'): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action, Resource },
});

/**
 * The policies of AWS's own that functions here are likely to have, by what follows `arn:aws:iam::aws:policy/`:
 * https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
 */
export const AWS_MANAGED_POLICIES: ReadonlyMap<string, PolicyDocument> = new Map([
  ['AdministratorAccess', allow('*')],
  ['AWSXRayDaemonWriteAccess', allow(TRACES)],
  [
    'AmazonAPIGatewayInvokeFullAccess',
    allow(['execute-api:Invoke', 'execute-api:ManageConnections'], 'arn:aws:execute-api:*:*:*'),
  ],
  ['AmazonSQSFullAccess', allow('sqs:*')],
  ['service-role/AWSLambdaBasicExecutionRole', allow(LOGS)],
  ['service-role/AWSLambdaRole', allow('lambda:InvokeFunction')],
  [
    'service-role/AWSLambdaSQSQueueExecutionRole',
    allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', ...LOGS]),
  ],
  ['service-role/AWSLambdaVPCAccessExecutionRole', allow([...LOGS, ...NETWORK_INTERFACES])],
]);
