import { arnOf, type Facts, named, textOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { honoured, ignored, label, tags } from '../stack/rules.ts';

function iamPath({ name, properties }: Facts): string {
  return textOf(properties, 'Path', '/') + name;
}

/** What CloudFormation has of IAM. */
export const iamTypes: ResourceTypes = {
  'AWS::IAM::ManagedPolicy': {
    rules: {
      ManagedPolicyName: honoured,
      Path: honoured,
      PolicyDocument: honoured,
      Roles: honoured,
      Description: label,
    },
    naming: {
      ...named('ManagedPolicyName', 128),
      arn: (policy) => `arn:aws:iam::${policy.accountId}:policy${iamPath(policy)}`,
      ref: arnOf,
      attributes: { PolicyArn: arnOf },
    },
  },
  'AWS::IAM::Policy': {
    rules: {
      PolicyName: honoured,
      PolicyDocument: honoured,
      Roles: honoured,
    },
    naming: named('PolicyName', 128),
  },
  'AWS::IAM::Role': {
    rules: {
      ...tags,
      RoleName: honoured,
      Path: honoured,
      Policies: honoured,
      ManagedPolicyArns: honoured,
      Description: label,
      AssumeRolePolicyDocument: honoured,
      MaxSessionDuration: ignored('Local credentials do not expire.'),
    },
    naming: {
      ...named('RoleName', 64),
      arn: (role) => `arn:aws:iam::${role.accountId}:role${iamPath(role)}`,
      attributes: { Arn: arnOf },
    },
  },
};
