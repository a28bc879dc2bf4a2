import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { expect, it } from 'vitest';
import type { FanwireSettings } from '../../infra/settings.ts';
import { type Json, synthesised } from '../support/synthesised.ts';

/** What the synthesis says of `auth`, and whether `$connect` asks an authorizer. */
function closednessOf(given: FanwireSettings) {
  const { stack, resources } = synthesised(given);
  const warnings = Annotations.fromStack(stack)
    .findWarning('*', Match.stringLikeRegexp('fanwire:auth'))
    .map(({ entry }) => String(entry.data));
  const route: Json = resources('AWS::ApiGatewayV2::Route').find(({ RouteKey }) => RouteKey === '$connect');
  return { asks: route.AuthorizationType === 'CUSTOM', warnings };
}

const REFUSES_ALL = expect.stringMatching(
  /every handshake is refused.*setting auth.*issuers: \[.*grants: true.*anonymous: \{.*auth: 'none'/,
);
const ASKS_NOBODY = expect.stringMatching(/nobody is asked/);

it.each<[string, FanwireSettings, object]>([
  ['no setting', {}, { asks: true, warnings: [REFUSES_ALL] }],
  ['no setting in production', { preset: 'production' }, { asks: true, warnings: [REFUSES_ALL] }],
  ['an empty one', { auth: {} }, { asks: true, warnings: [REFUSES_ALL] }],
  [
    'rights for tokens that nobody has',
    { auth: { rights: { 'a/*': ['subscribe'] } } },
    { asks: true, warnings: [REFUSES_ALL] },
  ],
  ['nobody asked', { auth: 'none' }, { asks: false, warnings: [ASKS_NOBODY] }],
  [
    'nobody asked in production',
    { preset: 'production', auth: 'none' },
    { asks: false, warnings: [ASKS_NOBODY] },
  ],
  ['grants', { auth: { grants: true } }, { asks: true, warnings: [] }],
  ['anonymous connections', { auth: { anonymous: { news: ['subscribe'] } } }, { asks: true, warnings: [] }],
])('is closed unless its settings open it: %s', (_, given, expected) => {
  expect(closednessOf(given)).toEqual(expected);
});

it('takes no word but none for nobody', () => {
  for (const auth of ['open', null, []] as never[]) {
    expect(() => synthesised({ auth })).toThrow(
      /^Bad Fanwire settings: expected auth to be an object, or 'none', got /,
    );
  }
});
