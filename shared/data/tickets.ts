import { createHash } from 'node:crypto';
import { DeleteItemCommand, type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { ifConditionHolds } from './dynamo.ts';
import { nowInSeconds } from './expiry.ts';
import { type TicketItem, TTL_ATTRIBUTE, ticketKey } from './tables.ts';

/** What opens a connection once, and what it stands for. Of a ticket there is only a hash: who reads the table has none. */
export interface Tickets {
  put(ticket: string, access: string, expiresAtSeconds: number): Promise<void>;
  /** What it stands for; nothing for whoever comes second or late. */
  take(ticket: string): Promise<string | undefined>;
}

export const createTickets = (client: DynamoDBClient, table: string, now: () => number): Tickets => ({
  async put(ticket, access, expiresAtSeconds) {
    const Item: TicketItem = {
      ...keyOf(ticket),
      access: { S: access },
      expiresAt: { N: String(expiresAtSeconds) },
    };
    await client.send(new PutItemCommand({ TableName: table, Item }));
  },

  async take(ticket) {
    // A deletion whose answer is lost is tried again, and finds nothing: the ticket is spent then, and nobody is let in.
    const deleted = await ifConditionHolds(
      client.send(
        new DeleteItemCommand({
          TableName: table,
          Key: keyOf(ticket),
          ConditionExpression: `${TTL_ATTRIBUTE} > :now`,
          ExpressionAttributeValues: { ':now': nowInSeconds(now()) },
          ReturnValues: 'ALL_OLD',
        }),
      ),
    );
    return (deleted?.Attributes as TicketItem | undefined)?.access.S;
  },
});

const keyOf = (ticket: string) => ticketKey(createHash('sha256').update(ticket).digest('base64url'));
