import { Annotations } from 'aws-cdk-lib';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { admitsNobody } from '../shared/auth/settings.ts';
import { REMOVAL_POLICIES } from './removal.ts';
import { type Access, allow, type Right } from './service.ts';
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
export const authorizerOf = ({
  grantsSecret,
  settings: { auth },
  tables,
}: Pick<Parts, 'grantsSecret' | 'settings' | 'tables'>): Access => ({
  reads: ['AUTH', 'ISSUERS', 'CALLBACK_URL', 'GRANTS_SECRET', 'TRANSPORT', 'ACCESS_TABLE'],
  rights: [
    ...readGrantsSecret({ grantsSecret }),
    ...(auth?.tickets ? [allow(['dynamodb:DeleteItem'], tables.access.tableArn)] : []),
  ],
});

/** Of what verifies grants. */
export const readGrantsSecret = ({ grantsSecret }: Pick<Parts, 'grantsSecret'>): readonly Right[] =>
  grantsSecret ? [allow(['secretsmanager:GetSecretValue'], grantsSecret.secretArn)] : [];

/** Asked about every handshake, also about those without a token, which it takes for anonymous or refuses. */
export const createAuthorizer = (authorize: LambdaFunction): WebSocketLambdaAuthorizer =>
  new WebSocketLambdaAuthorizer('Authorizer', authorize, { identitySource: [] });

/** Says at the synthesis what only users would notice. */
export function warnOfAuth(scope: Construct, { auth }: CompleteSettings): void {
  const problem = auth ? admitsNobody(auth) && REFUSES_ALL : ASKS_NOBODY;
  if (problem) Annotations.of(scope).addWarningV2('fanwire:auth', problem);
}

const ASKS_NOBODY =
  "With auth: 'none' nobody is asked who they are: everybody may connect, subscribe and publish to everything, and be any " +
  'user. Say who may in the setting auth.';

const REFUSES_ALL =
  'Nobody may connect: every handshake is refused with 401. Say in the setting auth who may: ' +
  "issuers: [{ issuer: 'https://…', audience: '…' }] for users of Cognito, Auth0 and the like, with rights for all of them; " +
  "grants: true for tokens of your own back end; anonymous: { 'news/*': ['subscribe'] } for everybody else. " +
  "auth: 'none' asks nobody and allows everything.";
