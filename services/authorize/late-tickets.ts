import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import type { TransportName } from '../../shared/aws/transports.ts';
import { createTickets, type Tickets } from '../../shared/data/tickets.ts';

/** In a module of its own, so that the client of DynamoDB is loaded when the first ticket comes. */
export const createLateTickets = (
  transport: TransportName,
  table: string,
  now: () => number,
): Pick<Tickets, 'take'> => createTickets(createClient(transport, DynamoDBClient), table, now);
