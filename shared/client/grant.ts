import { ask, askInTime } from './endpoint.ts';
import { type Guard, isString } from './guards.ts';
import type { Settings } from './options.ts';

/** The right to one topic, which the application's back end gives: a text, or a function that is asked for one. */
export type Grant = string | (() => string | Promise<string>);

export const askGrant = (grant: Grant, settings: Settings): string | Promise<string> =>
  isString(grant) ? grant : askInTime(settings, 'a grant', ask('grant to give a string', grant, isText));

const isText: Guard<string> = (value): value is string => isString(value) && value !== '';
