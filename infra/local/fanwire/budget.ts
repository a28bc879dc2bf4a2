import type { Variable } from '../../../shared/lambda/variables.ts';
import { isRecord } from '../../../shared/protocol/json.ts';

const BUDGET = 'REQUESTS_PER_SECOND_MAX' satisfies Variable;
/** The most that the construct takes: more than one machine can do. */
const LIFTED = '1000000';

/** The template, with the workers' budget of requests lifted: on one machine no account's quota has to be shared. */
export function liftBudget(template: unknown): unknown {
  const lifted = structuredClone(template);
  const resources = isRecord(lifted) && isRecord(lifted.Resources) ? Object.values(lifted.Resources) : [];
  for (const resource of resources) {
    const properties = isRecord(resource) && isRecord(resource.Properties) ? resource.Properties : {};
    const variables = isRecord(properties.Environment) ? properties.Environment.Variables : undefined;
    if (isRecord(variables) && BUDGET in variables) variables[BUDGET] = LIFTED;
  }
  return lifted;
}
