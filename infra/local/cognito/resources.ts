import type { ResourceTypes } from '../stack/resource-types.ts';

const elsewhere = {
  hint:
    'Nobody signs in here. Give issuer and audience of a user pool that is deployed, in place of the constructs, ' +
    'or take grants of your own.',
};

/** What CloudFormation has of Cognito, and apps have to say whose tokens are taken. */
export const cognitoTypes: ResourceTypes = {
  'AWS::Cognito::UserPool': elsewhere,
  'AWS::Cognito::UserPoolClient': elsewhere,
  'AWS::Cognito::UserPoolDomain': elsewhere,
  'AWS::Cognito::IdentityPool': elsewhere,
};
