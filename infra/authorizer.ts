import { Annotations } from 'aws-cdk-lib';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { REMOVAL_POLICIES } from './removal.ts';
import { type Access, allow } from './service.ts';
import type { CompleteSettings } from './settings.ts';
import type { Parts } from './variables.ts';

const SECRET_LENGTH = 64;

/** What the back end signs its grants with, if the settings take any. It is made on AWS, and in no template. */
export function createGrantsSecret(
  scope: Construct,
  { auth, encryptionKey, removal }: CompleteSettings,
): Secret | undefined {
  if (!auth?.grants) return undefined;
  return new Secret(scope, 'GrantsSecret', {
    description: 'What the back end signs the grants of Fanwire with',
    generateSecretString: { passwordLength: SECRET_LENGTH, excludePunctuation: true },
    removalPolicy: REMOVAL_POLICIES[removal],
    ...(encryptionKey && { encryptionKey }),
  });
}

/** What the Lambda that says who may connect has. */
export const authorizerOf = ({ grantsSecret }: Pick<Parts, 'grantsSecret'>): Access => ({
  reads: ['AUTH', 'CALLBACK_URL', 'GRANTS_SECRET', 'TRANSPORT'],
  rights: grantsSecret ? [allow(['secretsmanager:GetSecretValue'], grantsSecret.secretArn)] : [],
});

/** Asked about every handshake, also about those without a token, which it takes for anonymous or refuses. */
export const createAuthorizer = (authorize: LambdaFunction): WebSocketLambdaAuthorizer =>
  new WebSocketLambdaAuthorizer('Authorizer', authorize, { identitySource: [] });

/** Says at the synthesis what only users would notice. */
export function warnOfAuth(scope: Construct, { auth, preset }: CompleteSettings): void {
  const problem = auth ? refusesAll(auth) : preset === 'production' && ASKS_NOBODY;
  if (problem) Annotations.of(scope).addWarningV2('fanwire:auth', problem);
}

const ASKS_NOBODY =
  'Nobody is asked who they are: everybody may connect, subscribe and publish to everything, and be any user. Say who may ' +
  'in the setting auth.';

const refusesAll = ({ issuers, grants, anonymous }: NonNullable<CompleteSettings['auth']>): string | false =>
  issuers.length === 0 &&
  !grants &&
  Object.keys(anonymous).length === 0 &&
  'The setting auth lets nobody connect: it has no issuers, no grants and no rights for anonymous connections.';
