import { Annotations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { CompleteSettings } from './settings.ts';
import { CLOSING_WORKERS_MAX, SLOW_WORKERS_MAX, SWEEPS_MAX } from './sizes.ts';

/** Lambda leaves as much of an account's concurrency to functions that have nothing reserved (guide, "Reserved concurrency"). */
const UNRESERVED_MIN = 100;

/** Warns if the account's concurrency may not do for the workers and some routes beside them. */
export function warnOfConcurrency(scope: Construct, settings: CompleteSettings, routes: number): void {
  const problem = concurrencyProblem(settings, routes);
  if (problem) Annotations.of(scope).addWarningV2('fanwire:accountConcurrency', problem);
}

function concurrencyProblem(settings: CompleteSettings, routes: number): string | undefined {
  const { preset, accountConcurrency, reservedConcurrency } = settings;
  const closing = settings.auth ? CLOSING_WORKERS_MAX : 0;
  const workers =
    settings.fanOutWorkersMax + settings.deliveryWorkersMax + SLOW_WORKERS_MAX + closing + SWEEPS_MAX;
  if (accountConcurrency === undefined) {
    if (preset === 'sandbox') return undefined;
    return (
      `Fanwire's workers take up to ${workers} of the account's concurrent executions, and its quota is not known. New ` +
      'accounts may have 10 in all: say what `aws lambda get-account-settings` answers as accountConcurrency.'
    );
  }
  const reserved = (reservedConcurrency.workers ? workers : 0) + (reservedConcurrency.routes ?? 0) * routes;
  if (reserved > 0 && reserved + UNRESERVED_MIN > accountConcurrency) {
    return (
      `Fanwire reserves ${reserved} of the account's concurrent executions, and Lambda keeps ${UNRESERVED_MIN} for ` +
      `what has nothing reserved: a deployment to an account that has ${accountConcurrency} fails. Raise its quota, or ` +
      'lower fanOutWorkersMax, deliveryWorkersMax or reservedConcurrency.'
    );
  }
  if (workers >= accountConcurrency) {
    return (
      `Fanwire's workers take up to ${workers} concurrent executions, all that the account has (${accountConcurrency}): ` +
      'while they are busy nobody can connect. Raise its quota, or lower fanOutWorkersMax and deliveryWorkersMax.'
    );
  }
  return undefined;
}
