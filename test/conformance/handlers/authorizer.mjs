import { observe } from './observations.mjs';

/** The token says what it answers; a token is whatever is in the identity source, of either stage. */
export async function handler(event, { awsRequestId }) {
  const { connectionId } = event.requestContext;
  const { case: name, token = header(event, 'x-token') } = event.queryStringParameters ?? {};
  const observation = { id: awsRequestId, startedAt: Date.now(), source: 'authorizer', event };
  await observe([connectionId, ...(name ? [name] : [])], observation);
  const [, bytes] = /^(\d+) bytes$/.exec(token) ?? [];
  if (bytes !== undefined) return sized(Number(bytes), event.methodArn);
  const stage = event.methodArn.replace(/\/\$connect$/, '');
  switch (token) {
    case 'allow':
      return policy('Allow', event.methodArn, { name: 'Alice', level: 7, isAdmin: true });
    case 'allow stage':
      return policy('Allow', `${stage}/*`);
    case 'allow another':
      return policy('Allow', `${stage}/publish`);
    case 'deny':
      return policy('Deny', event.methodArn);
    case 'unauthorized':
      throw new Error('Unauthorized');
    case 'no policy':
      return { principalId: 'alice' };
    case 'nested context':
      return policy('Allow', event.methodArn, { nested: { level: 7 } });
    case 'status':
      return { statusCode: 401 };
    default:
      throw new Error('a secret of the authorizer');
  }
}

/** Lets in, with a result of so many bytes as JSON. */
function sized(bytes, methodArn) {
  const padded = (padding) => policy('Allow', methodArn, { padding });
  return padded('x'.repeat(bytes - JSON.stringify(padded('')).length));
}

const header = ({ headers }, wanted) =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];

const policy = (Effect, Resource, context) => ({
  principalId: 'alice',
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }],
  },
  context,
});
