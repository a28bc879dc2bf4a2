import { type Stream, stream } from '../crowd/scenarios.ts';
import { type Bench, round } from './bench.ts';

const CONNECTIONS = 200;
/** None, one, and one per cent. */
const HANGING = [0, 1, CONNECTIONS / 100];
const MESSAGES_PER_SECOND = 10;
/** Each environment learns of a connection that hangs by waiting for it once or twice: a minute has that, and the rest. */
const SECONDS = 60;

/** A stream of messages, some of whose subscribers leave every post without an answer; the budget makes nobody wait. */
export const bench: Bench = {
  title: `Connections that hang, under ${MESSAGES_PER_SECOND} messages a second for ${SECONDS} s`,
  async run() {
    const rows: Stream[] = [];
    for (const hanging of HANGING) {
      rows.push(await stream(CONNECTIONS, hanging, SECONDS * MESSAGES_PER_SECOND));
    }
    const of = (hanging: number, figure: 'sameP99Ms' | 'otherP99Ms') =>
      Number(rows.find((row) => row.hanging === hanging)?.[figure]);
    const ratios = (['sameP99Ms', 'otherP99Ms'] as const).flatMap((figure) =>
      HANGING.slice(1).map((hanging) => ({
        name: `${figure === 'sameP99Ms' ? 'same' : 'another'} topic's p99, ${hanging} hanging / none (ratio)`,
        value: round(of(hanging, figure) / of(0, figure), 2),
        atMost: 2,
      })),
    );
    return {
      rows: rows.map((row) => ({ ...row })),
      targets: [
        ...ratios,
        {
          name: 'deliveries unaccounted for',
          value: rows.reduce((sum, { unaccounted }) => sum + Math.abs(unaccounted), 0),
          atMost: 0,
        },
      ],
    };
  },
};
