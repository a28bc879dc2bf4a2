/** What `deliverJobs` and its stack need is what every delivery does. */
export {
  createDelivery as assemble,
  deliverySettings as settings,
} from '../../shared/delivery/deps.ts';
