import { type Stack, Validations } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { AwsSolutionsChecks, type NagPack, ServerlessChecks } from 'cdk-nag';
import { expect, it } from 'vitest';
import type { FanwireSettings } from '../../infra/settings.ts';
import { synthesised } from '../support/synthesised.ts';

const namespaces = { chat: { history: { messages: 10, seconds: 7 * 86_400 } } };
const kinds: Readonly<Record<string, (stack: Stack) => FanwireSettings>> = {
  'a sandbox': () => ({}),
  'a sandbox with tickets': () => ({ auth: { grants: true, tickets: true } }),
  'production with tickets': () => ({ preset: 'production', auth: { grants: true, tickets: true } }),
  production: () => ({ preset: 'production' }),
  'production with a history': (stack) => ({
    ...{ preset: 'production', namespaces },
    encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
  }),
};

interface Finding {
  readonly path: string;
  readonly rule: string;
}

function findingsOf(stack: Stack, all: boolean): Finding[] {
  const packs: readonly NagPack[] = [new AwsSolutionsChecks(), new ServerlessChecks()];
  return packs
    .map((pack) => (all ? Object.assign(pack, { isAcknowledged: () => false }) : pack))
    .flatMap((pack) => pack.validateScope(stack).violations)
    .flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => ({ path: `${constructPath}`, rule: ruleName })),
    );
}

const acknowledgedIn = (stack: Stack): Finding[] =>
  stack.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.keys(data))
      .map((id) => ({ path: node.path, rule: id.replace(/^Annotation::/, '') })),
  );

it.each(Object.entries(kinds))(
  'has nothing in %s but what is acknowledged, which is all found',
  (_, given) => {
    const { stack } = synthesised(given);
    expect(findingsOf(stack, false)).toEqual([]);
    const found = findingsOf(stack, true);
    const stale = acknowledgedIn(stack).filter(
      ({ path, rule }) => !found.some((each) => each.rule === rule && each.path.startsWith(path)),
    );
    expect(found.length).toBeGreaterThan(10);
    expect(stale).toEqual([]);
  },
);
