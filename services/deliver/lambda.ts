import { createPost, postSettings } from '../../shared/delivery/create-post.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { assemble, settings } from './assemble.ts';
import { deliverJobs } from './deliver-jobs.ts';

const config = loadConfig(process.env, { ...settings, ...postSettings });
const clients = {
  // Lambda sets the trace id anew for every invocation.
  post: await createPost(config, systemClock, () => process.env._X_AMZN_TRACE_ID),
  late: async () => (await import('./late-clients.ts')).createLateClients(config.transport),
};
const deps = assemble(config, clients, systemClock);

export const handler = worker((records, stopAtMs) => deliverJobs(records, deps, stopAtMs), deps);
