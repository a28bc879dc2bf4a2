import { executeApi } from './apigateway/rights.ts';
import { dynamodb } from './dynamodb/rights.ts';
import { events } from './eventbridge/rights.ts';
import type { GuardedService } from './http/rights.ts';
import { sqs } from './sqs/rights.ts';

/** Every service that has requests come to the port. */
export const guardedServices: readonly GuardedService[] = [dynamodb, events, executeApi, sqs];
