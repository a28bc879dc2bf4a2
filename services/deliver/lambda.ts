import { createDelivery, deliverySettings } from '../../shared/delivery/deps.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { deliverJobs } from './deliver-jobs.ts';

const deps = await createDelivery(
  loadConfig(process.env, deliverySettings),
  () => process.env._X_AMZN_TRACE_ID,
);

export const handler = worker((records, stopAtMs) => deliverJobs(records, deps, stopAtMs), Date.now);
