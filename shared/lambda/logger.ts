import { Logger } from '@aws-lambda-powertools/logger';

/** JSON lines for CloudWatch. Data, tokens and frames are never logged: ids and counts are enough. */
export const logger = new Logger({ serviceName: 'fanwire' });
