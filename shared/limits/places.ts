import type { Clients } from '../aws/sdk/clients.ts';
import { type Admissions, type AdmissionTables, createAdmissions } from '../data/admissions.ts';
import type { Clock } from '../lambda/clock.ts';
import type { Config } from '../lambda/config.ts';
import { isOutage, isThrottle } from '../retry.ts';
import { assembleRefusals, type limitSettings } from './assemble.ts';
import type { Refusals } from './refusals.ts';

export type Places = Pick<Admissions, 'enter' | 'join' | 'leave'>;

/** Makes the places for connections. */
export const assemblePlaces = (
  config: Config<typeof limitSettings> & AdmissionTables,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  { now }: Pick<Clock, 'now'>,
): Places => openWhileDown(createAdmissions(dynamodb, config, config.limits, now), assembleRefusals({ now }));

/**
 * Places that are there while nobody can count them: as with the rates, nobody is to be shut out because the table of
 * limits is overloaded, perhaps by somebody's flood. The sweep counts those who came and went meanwhile.
 */
function openWhileDown({ enter, join, leave }: Places, refusals: Refusals): Places {
  const unlessDown = async <T>(asked: () => Promise<T>, otherwise: T): Promise<T> => {
    refusals.flush();
    try {
      return await asked();
    } catch (error) {
      if (!isThrottle(error) && !isOutage(error)) throw error;
      refusals.failed(error);
      return otherwise;
    }
  };
  return {
    enter: () => unlessDown(enter, true),
    join: (connection) => unlessDown(() => join(connection), true),
    leave: (connection) => unlessDown(() => leave(connection), undefined),
  };
}
