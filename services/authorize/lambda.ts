import { createAccessClients } from '../../shared/auth/clients.ts';
import { authorizer } from '../../shared/lambda/authorizer.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { assemble, settings } from './assemble.ts';
import { authorize } from './authorize.ts';

const config = loadConfig(process.env, { ...settings, transport, grantsSecret: text('GRANTS_SECRET') });
const clients = {
  ...createAccessClients(config.transport, config.grantsSecret),
  tickets: async (table: string, now: () => number) =>
    (await import('./late-tickets.ts')).createLateTickets(config.transport, table, now),
};
const deps = assemble(config, clients, systemClock);

export const handler = authorizer((event) => authorize(event, deps));
