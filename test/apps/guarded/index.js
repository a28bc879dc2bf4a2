exports.authorize = async ({ methodArn, queryStringParameters: { token } }) => {
  if (token === 'forged') throw new Error('Unauthorized');
  const Effect = token === 'banned' ? 'Deny' : 'Allow';
  return {
    principalId: token,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect, Resource: methodArn }],
    },
    context: { level: 3 },
  };
};

exports.connect = async () => ({ statusCode: 200 });

exports.whoami = async ({ requestContext: { authorizer } }) => ({
  statusCode: 200,
  body: JSON.stringify(authorizer),
});
