import type { Account } from '../account.ts';
import { arnOf, identified, named } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { encryption, honoured, ignored, matching, tags } from '../stack/rules.ts';
import type { Stack } from '../stack/stack.ts';
import type { GenerateProperties } from './generate.ts';

export interface SecretDefinition {
  readonly name: string;
  readonly description?: string;
  /** What its first value is, if it has one. */
  readonly origin: SecretOrigin;
}

export interface SecretOrigin {
  readonly SecretString?: string;
  readonly GenerateSecretString?: GenerateProperties;
}

/** All that can be said of how a value is made up. */
const GENERATE = [
  'PasswordLength',
  'ExcludeCharacters',
  'ExcludeLowercase',
  'ExcludeUppercase',
  'ExcludeNumbers',
  'ExcludePunctuation',
  'IncludeSpace',
  'RequireEachIncludedType',
  'SecretStringTemplate',
  'GenerateStringKey',
] as const satisfies readonly (keyof GenerateProperties)[];

/** What CloudFormation has of Secrets Manager. */
export const secretsManagerTypes: ResourceTypes = {
  'AWS::SecretsManager::RotationSchedule': {
    hint: 'Secrets are not rotated by schedule here; PutSecretValue does what a rotation does.',
  },
  'AWS::SecretsManager::Secret': {
    rules: {
      ...tags,
      Name: matching(/^[\w/+=.@-]{1,512}$/, '1 to 512 letters, digits and "/_+=.@-"'),
      Description: honoured,
      SecretString: honoured,
      ...Object.fromEntries(GENERATE.map((property) => [`GenerateSecretString.${property}`, honoured])),
      KmsKeyId: encryption,
      ReplicaRegions: ignored('There is one region here.'),
    },
    naming: {
      ...named('Name', 255),
      arn: ({ name, ...account }) => secretArn(name, account),
      ref: arnOf,
      attributes: { Id: arnOf },
    },
  },
};

/** AWS adds six characters to the name, so that a secret of the same name is another one. Here they follow from the name. */
const suffixOf = (name: string): string => `-${identified(6).createName(name)}`;

const prefixOf = ({ region, accountId }: Account): string =>
  `arn:aws:secretsmanager:${region}:${accountId}:secret:`;

const secretArn = (name: string, account: Account): string => prefixOf(account) + name + suffixOf(name);

/** A secret goes by its name, by its ARN, and by its ARN without the six characters. */
export function arnOfSecret(secretId: string, account: Account): string {
  const prefix = prefixOf(account);
  if (!secretId.startsWith('arn:')) return secretArn(secretId, account);
  if (!secretId.startsWith(prefix)) return secretId;
  const rest = secretId.slice(prefix.length);
  const name = rest.slice(0, -suffixOf('').length);
  return rest === name + suffixOf(name) ? secretId : secretArn(rest, account);
}

/** The secrets of a stack. */
export const secretDefinitions = (stack: Stack): SecretDefinition[] =>
  stack.ofType('AWS::SecretsManager::Secret').map(({ logicalId, properties }) => {
    const { Description, SecretString, GenerateSecretString } = properties as SecretOrigin & {
      readonly Description?: string;
    };
    return {
      name: stack.physicalName(logicalId),
      ...(Description !== undefined && { description: Description }),
      origin: {
        ...(SecretString !== undefined && { SecretString }),
        ...(GenerateSecretString && { GenerateSecretString }),
      },
    };
  });
