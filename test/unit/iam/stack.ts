import { Iam } from '../../../infra/local/iam/iam.ts';
import { grantsIn, guardedServices, resourceTypes } from '../../../infra/local/services.ts';
import { readStack, type Stack } from '../../../infra/local/stack/stack.ts';

export type Properties = Readonly<Record<string, unknown>>;

const PLACE = { region: 'us-east-1', accountId: '000000000000' };
const ASSETS = {
  files: {
    code: { source: { path: '.', packaging: 'zip' }, destinations: { here: { objectKey: 'code.zip' } } },
  },
};

export const stackOf = (Resources: Properties): Stack =>
  readStack({
    ...PLACE,
    types: resourceTypes,
    name: 'App',
    endpoint: 'http://localhost:4566',
    directory: '/',
    assets: ASSETS,
    template: { Resources },
  });

export const iamOf = (stack: Stack, log: (line: string) => void = () => {}): Iam =>
  new Iam(stack, {
    ...PLACE,
    credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' },
    services: guardedServices,
    grants: grantsIn,
    clock: { now: () => 0 },
    log,
  });

export const trusting = (service: string) => ({
  Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: service } },
});
export const allow = (Action: unknown, more: Properties = {}) => ({
  Statement: [{ Effect: 'Allow', Action, Resource: '*', ...more }],
});
export const role = (more: Properties = {}) => ({
  Type: 'AWS::IAM::Role',
  Properties: { AssumeRolePolicyDocument: trusting('lambda.amazonaws.com'), ...more },
});
export const roleWith = (document: unknown, more: Properties = {}) =>
  role({ Policies: [{ PolicyName: 'p', PolicyDocument: document }], ...more });

/** A function with the role `Role`. */
export const worker = {
  Type: 'AWS::Lambda::Function',
  Properties: {
    Runtime: 'nodejs24.x',
    Handler: 'index.handler',
    Code: { S3Bucket: 'assets', S3Key: 'code.zip' },
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
  },
};
