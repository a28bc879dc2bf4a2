import { DATA_BYTES_MAX } from '../../shared/protocol/frames.ts';
import type { Namespace, Namespaces } from '../../shared/protocol/namespaces.ts';

const VOLATILE: Namespace = {
  recovery: false,
  wildcards: true,
  lastValue: false,
  clientPublish: true,
  dataBytesMax: DATA_BYTES_MAX,
};

/** Namespaces as the Lambdas get them: volatile unless a test says otherwise. */
export const namespacesOf = (named: Readonly<Record<string, Partial<Namespace>>> = {}): Namespaces => ({
  '*': VOLATILE,
  ...Object.fromEntries(
    Object.entries(named).map(([name, namespace]) => [
      name,
      { ...VOLATILE, recovery: namespace.history !== undefined, ...namespace },
    ]),
  ),
});
