import { observe, pass } from './observations.mjs';

/**
 * Every route of every API. The client chooses what it does: with its query string for $connect, with the fields of
 * its frame for messages. What it gets, it writes down.
 */
export async function handler(event, { awsRequestId }) {
  const startedAt = Date.now();
  const wishes = wishesOf(event);
  const subjects = [event.requestContext.connectionId, ...(wishes.case ? [wishes.case] : [])];
  const observation = { id: awsRequestId, startedAt, source: 'route', event };
  await observe(subjects, observation);
  if (wishes.hold) await pass(wishes.hold);
  const outcome = wishes.call && (await callBack(wishes.call.split(','), event.requestContext));
  if (wishes.hold || wishes.call) await observe(subjects, { ...observation, endedAt: Date.now(), outcome });
  if (wishes.throw) throw new Error('a secret of the handler');
  return respond(event, wishes);
}

function wishesOf({ requestContext: { eventType }, queryStringParameters, body }) {
  if (eventType === 'CONNECT') return queryStringParameters ?? {};
  if (eventType === 'DISCONNECT') return {};
  try {
    return Object(JSON.parse(body));
  } catch {
    return {}; // it wishes nothing
  }
}

/** Calls @connections about this very connection, and tells what came of it. */
async function callBack(methods, { connectionId: ConnectionId }) {
  const sdk = await import('@aws-sdk/client-apigatewaymanagementapi');
  const commands = {
    POST: new sdk.PostToConnectionCommand({ ConnectionId, Data: 'from the handler' }),
    GET: new sdk.GetConnectionCommand({ ConnectionId }),
    DELETE: new sdk.DeleteConnectionCommand({ ConnectionId }),
  };
  const client = new sdk.ApiGatewayManagementApiClient({ endpoint: process.env.CALLBACK_URL });
  const outcome = {};
  for (const method of methods) {
    outcome[method] = await client.send(commands[method]).then(
      ({ $metadata }) => ({ status: $metadata.httpStatusCode }),
      ({ name, message, $metadata }) => ({ status: $metadata?.httpStatusCode, name, message }),
    );
  }
  return outcome;
}

function respond({ requestContext, body }, wishes) {
  const { routeKey, eventType, connectionId } = requestContext;
  if (wishes.return === 'nothing') return undefined;
  if (wishes.return === 'no status') return { body: 'x' };
  if (wishes.return === 'an empty object') return {};
  const statusCode = Number(wishes.status ?? 200);
  if (eventType !== 'MESSAGE') {
    const protocol = wishes.protocol && { 'Sec-WebSocket-Protocol': wishes.protocol };
    return { statusCode, headers: { 'X-From-Handler': 'yes', ...protocol }, body: 'the body of $connect' };
  }
  return {
    statusCode,
    body: wishes.body ?? JSON.stringify({ routeKey, connectionId, bytes: Buffer.byteLength(body) }),
  };
}
