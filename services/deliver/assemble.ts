/** What `deliverJobs` needs is what every delivery does. */
export {
  createDelivery as assemble,
  deliverySettings as settings,
} from '../../shared/delivery/deps.ts';
