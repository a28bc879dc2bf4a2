import { App, Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';

// Somebody's secrets: one that is generated, as the CDK's default is, and one that may be read by a role.
const stack = new Stack(new App(), 'Vault');
new Secret(stack, 'Plain');
const signing = new Secret(stack, 'Signing', {
  secretName: 'vault/signing',
  description: 'Signs grants',
  generateSecretString: { passwordLength: 64, excludePunctuation: true },
});
for (const roleName of ['reader', 'stranger']) {
  const role = new Role(stack, roleName, {
    roleName,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
  });
  if (roleName === 'reader') signing.grantRead(role);
}
