import { loadConfig, positiveInteger, text } from '../../shared/config.ts';
import { createDelivery, deliverySettings, JOBS_IN_FLIGHT_MAX } from '../../shared/delivery/wire.ts';
import { createDeadLetters } from '../../shared/queues.ts';
import { worker } from '../../shared/worker.ts';
import { fanOut } from './fan-out.ts';

const config = loadConfig(process.env, {
  ...deliverySettings,
  badEventsUrl: text('INGEST_DEAD_LETTERS_URL'),
  inlineMax: positiveInteger('INLINE_MAX'),
});
const delivery = createDelivery(config);
const deps = {
  ...delivery,
  badEvents: createDeadLetters(delivery.sqs, config.badEventsUrl),
  inlineMax: config.inlineMax,
  groupsInFlightMax: JOBS_IN_FLIGHT_MAX,
};

export const handler = worker((records) => fanOut(records, deps));
