import { loadConfig } from '../../shared/config.ts';
import { createDelivery, deliverySettings, JOBS_IN_FLIGHT_MAX } from '../../shared/delivery/wire.ts';
import { worker } from '../../shared/worker.ts';
import { deliverJobs } from './deliver-jobs.ts';

const deps = {
  ...createDelivery(loadConfig(process.env, deliverySettings)),
  jobsInFlightMax: JOBS_IN_FLIGHT_MAX,
};

export const handler = worker((records) => deliverJobs(records, deps));
