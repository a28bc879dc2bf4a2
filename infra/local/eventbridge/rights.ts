import type { Account } from '../account.ts';
import { distinct, recordsIn, refuseInJson11, type TargetService } from '../http/rights.ts';
import { DEFAULT_BUS } from './resources.ts';

/** What must be known of EventBridge to check the requests to it. */
export const events: TargetService = {
  name: 'events',
  target: 'AWSEvents',
  unsigned: 'Missing Authentication Token',
  conditionKeys: ['events:detail-type', 'events:source'],

  accesses(operation, { Entries }, account) {
    if (operation !== 'PutEvents') return [];
    return distinct(
      recordsIn(Entries).map(({ EventBusName, Source, DetailType }) => ({
        action: 'events:PutEvents',
        resource: busArn(EventBusName ?? DEFAULT_BUS, account),
        context: {
          ...(typeof Source === 'string' && { 'events:source': Source }),
          ...(typeof DetailType === 'string' && { 'events:detail-type': DetailType }),
        },
      })),
    );
  },

  refuse: refuseInJson11,
};

/** A bus goes by its name or its ARN. */
const busArn = (bus: unknown, { region, accountId }: Account): string =>
  String(bus).startsWith('arn:') ? String(bus) : `arn:aws:events:${region}:${accountId}:event-bus/${bus}`;
