import type { Plan } from '../model/plan.ts';
import { digits, dollars, table } from './report.ts';

export function reportPlan(plans: readonly Plan[]): string {
  const rows = plans.map(({ subscribers, connect, deliver, ...plan }) => [
    digits(subscribers),
    time(connect.lastMs),
    time(deliver.p50Ms),
    time(deliver.p99Ms),
    time(deliver.lastMs),
    String(plan.environments),
    dollars(plan.dollars),
    dollars(plan.dollarsPerMillionDeliveries),
  ]);
  const titles = [
    'subscribers',
    'all connected',
    'p50',
    'p99',
    'last',
    'workers',
    'a message',
    'per million',
  ];
  return [
    table([titles, ...rows]),
    ...plans.map(({ subscribers, limits }) =>
      table([
        [`${digits(subscribers)} subscribers`, 'ends after', 'limited by'],
        ...limits.map(({ stage, endMs, limit }) => [stage, time(endMs), limit]),
      ]),
    ),
    'From publish to the answer of the post, with nothing warm and the default quotas: infra/model/parameters.ts.',
  ].join('\n\n');
}

const time = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${digits(ms / 1_000)} s`);
