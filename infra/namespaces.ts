import { DATA_BYTES_MAX } from '../shared/protocol/frames.ts';
import type { Namespace, Namespaces } from '../shared/protocol/namespaces.ts';

/** The settings of a namespace. Without a history its topics are volatile: messages reach only those who are connected. */
interface NamespaceSettings {
  /**
   * Messages are numbered and kept: so many of each topic, and none longer than so many seconds. It costs three writes
   * a message.
   */
  readonly history?: { readonly messages: number; readonly seconds: number };
  /** Whether a client may resume from a position: by default wherever there is a history. */
  readonly recovery?: boolean;
  /**
   * Whether one may subscribe to `name/*`: by default one may. If not, a message reads one key of the topics table, and
   * not one more for each segment of its topic. Such subscriptions that exist when this is switched off get nothing from
   * then on.
   */
  readonly wildcards?: boolean;
  /** Whether a new subscriber gets the newest message at once: by default not. */
  readonly lastValue?: boolean;
  /** Whether clients may publish: by default they may. Back ends always can. */
  readonly clientPublish?: boolean;
  /**
   * `required` lets nobody subscribe to its topics, or read their history, but with a grant that comes with the command:
   * rights of the settings and of a connection's token count for nothing there. By default they count.
   */
  readonly grants?: 'required';
  /** Bytes of data in one message: by default what API Gateway can carry. */
  readonly dataBytesMax?: number;
}

/** By namespace, the first segment of a topic; `*` for those that are not named. */
export type NamespacesSettings = Readonly<Record<string, NamespaceSettings>>;

const NAME = /^(\*|[A-Za-z0-9_.~:@-]{1,128})$/;
const HISTORY_MESSAGES_MAX = 100_000;
/** Far below the 30 days that a position is good for, and well above the day that an event may be late. */
const HISTORY_SECONDS_MAX = 7 * 86_400;
/** Some 700 namespaces: every environment reads and parses them while it starts, and so much takes a millisecond. */
const JSON_BYTES_MAX = 128 * 1024;

/** Fills in the defaults and names everything that is wrong. */
export function completeNamespaces(given: NamespacesSettings): {
  readonly namespaces: Namespaces;
  readonly problems: readonly string[];
} {
  const named = Object.entries({ '*': {}, ...given });
  const namespaces = Object.fromEntries(named.map(([name, settings]) => [name, complete(settings)]));
  const problems = named.flatMap(([name, settings]) =>
    problemsOf(name, settings).map((problem) => `namespace ${name}: ${problem}`),
  );
  const bytes = Buffer.byteLength(JSON.stringify(namespaces));
  if (bytes > JSON_BYTES_MAX) {
    problems.push(
      `expected the namespaces to be at most ${JSON_BYTES_MAX} bytes of JSON, which every Lambda reads when it starts, got ${bytes}`,
    );
  }
  return { namespaces: namespaces as Namespaces, problems };
}

const complete = ({ history, ...given }: NamespaceSettings): Namespace => ({
  recovery: history !== undefined,
  wildcards: true,
  lastValue: false,
  clientPublish: true,
  dataBytesMax: DATA_BYTES_MAX,
  ...given,
  ...(history && { history }),
});

function problemsOf(name: string, settings: NamespaceSettings): string[] {
  const { history, recovery, lastValue, dataBytesMax, grants } = settings;
  const problems: string[] = [];
  const expectInteger = (what: string, value: number, max: number) => {
    if (Number.isInteger(value) && value >= 1 && value <= max) return;
    problems.push(`expected ${what} to be a whole number from 1 to ${max}, got ${value}`);
  };
  if (!NAME.test(name)) problems.push("expected a topic's first segment, or *");
  for (const field of Object.keys(settings)) {
    if (!FIELDS.includes(field)) problems.push(`expected no settings but ${FIELDS.join(', ')}, got ${field}`);
  }
  if (history) {
    expectInteger('history.messages', history.messages, HISTORY_MESSAGES_MAX);
    expectInteger('history.seconds', history.seconds, HISTORY_SECONDS_MAX);
  }
  if (dataBytesMax !== undefined) expectInteger('dataBytesMax', dataBytesMax, DATA_BYTES_MAX);
  if (grants !== undefined && grants !== 'required') {
    problems.push(`expected grants to be 'required' or left out, got ${grants}`);
  }
  if (recovery && !history) problems.push('recovery needs a history to recover from, got none');
  if (lastValue && !history) {
    problems.push('lastValue needs a history, whose offsets say which message is the last, got none');
  }
  return problems;
}

const FIELDS = ['history', 'recovery', 'wildcards', 'lastValue', 'clientPublish', 'grants', 'dataBytesMax'];

/** Whether some topics have last values, which are items of their own. */
export const keepsLastValues = ({ namespaces }: { readonly namespaces: Namespaces }): boolean =>
  Object.values(namespaces).some(({ lastValue }) => lastValue);
