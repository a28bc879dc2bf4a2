import { isRecord } from '../../../shared/protocol/json.ts';

/** What `Annotations` of the CDK calls them, and what its command line says of each. */
const LABELS: Readonly<Record<string, string>> = {
  'aws:cdk:info': 'Info',
  'aws:cdk:warning': 'Warning',
  'aws:cdk:error': 'Error',
};

/** What the constructs of a stack have to say to the person who synthesises it, as `cdk synth` prints it, once each. */
export function annotationsIn(metadata: unknown): readonly string[] {
  const lines = Object.entries(isRecord(metadata) ? metadata : {}).flatMap(([path, entries]) =>
    (Array.isArray(entries) ? entries : []).flatMap(({ type, data }) => {
      const label = Object.hasOwn(LABELS, type) ? LABELS[type] : undefined;
      return label === undefined ? [] : `[${label} at ${path}] ${data}`;
    }),
  );
  return [...new Set(lines)];
}
