import { arnOf, createUuid, named, nameOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { encryption, label, noSafetyNet, type Rules, tags } from '../stack/rules.ts';

const unused = (...properties: readonly string[]): Rules =>
  Object.fromEntries(properties.map((property) => [property, encryption]));

/** What CloudFormation has of KMS: an app may have keys, and nothing is encrypted with them here. */
export const kmsTypes: ResourceTypes = {
  'AWS::KMS::Key': {
    rules: {
      ...tags,
      Description: label,
      ...unused('KeyPolicy', 'KeySpec', 'KeyUsage', 'Enabled', 'Origin', 'MultiRegion'),
      ...unused('EnableKeyRotation', 'RotationPeriodInDays', 'BypassPolicyLockoutSafetyCheck'),
      PendingWindowInDays: noSafetyNet,
    },
    naming: {
      createName: createUuid,
      arn: ({ name, region, accountId }) => `arn:aws:kms:${region}:${accountId}:key/${name}`,
      attributes: { Arn: arnOf, KeyId: nameOf },
    },
  },
  'AWS::KMS::Alias': {
    rules: { AliasName: label, ...unused('TargetKeyId') },
    naming: named('AliasName', 256),
  },
};
