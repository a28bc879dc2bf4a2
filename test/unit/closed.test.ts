import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { describe, expect, it } from 'vitest';
import type { FanwireSettings } from '../../infra/settings.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import { parseAuth } from '../../shared/auth/settings.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { SETTINGS_FILES } from '../../shared/lambda/variables.ts';
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

describe('an issuer that the same app makes', () => {
  const { app, fanwire, resources } = synthesised((scope) => {
    const pool = new UserPool(scope, 'Users');
    const { userPoolClientId: audience } = pool.addClient('App');
    return {
      auth: {
        issuers: [
          { issuer: pool.userPoolProviderUrl, audience },
          { issuer: 'https://staff.example', audience: 'staff', userPrefix: 'staff:' },
        ],
      },
    };
  });
  const authorize: Json = resources('AWS::Lambda::Function').find(({ id }) => /^FanwireAuthorize/.test(id));

  it('is told to the authorizer by the deployment, and any other by the file beside its code', () => {
    const url = { 'Fn::GetAtt': [expect.stringMatching(/^Users/), 'ProviderURL'] };
    const { ISSUERS } = authorize.Environment.Variables;
    expect(ISSUERS['Fn::Join'][1]).toEqual([
      '[{"issuer":"',
      url,
      '","audience":["',
      { Ref: expect.stringMatching(/^UsersApp/) },
      '"],"rightsClaim":false}]',
    ]);
    const asset = `asset.${authorize.Code.S3Key.replace('.zip', '')}`;
    const file = readFileSync(join(app.outdir, asset, SETTINGS_FILES.AUTH), 'utf8');
    expect(parseAuth(JSON.parse(file)).issuers).toEqual([
      expect.objectContaining({ issuer: 'https://staff.example', userPrefix: 'staff:' }),
    ]);
    expect(fanwire.functions).toHaveProperty('authorize');
  });

  it('is taken by the authorizer as if it were in the file', () => {
    const variables = { ISSUERS: '[{"issuer":"https://pool.example","audience":["app"]}]' };
    const directory = mkdtempSync(join(tmpdir(), 'fanwire-auth-'));
    writeFileSync(join(directory, SETTINGS_FILES.AUTH), '{"grants":true,"issuers":[]}');
    const config = loadConfig({ ...variables, LAMBDA_TASK_ROOT: directory }, authSettings);
    expect(authOf(config)).toMatchObject({ grants: true, issuers: [{ issuer: 'https://pool.example' }] });
  });

  it('is one once, and needs a prefix beside another', () => {
    const twice = (prefixes: readonly [string, string]) => () =>
      synthesised((scope) => {
        const issuer = new UserPool(scope, 'Users').userPoolProviderUrl;
        return { auth: { issuers: prefixes.map((userPrefix) => ({ issuer, audience: 'a', userPrefix })) } };
      });
    expect(twice(['a:', 'b:'])).toThrow(/expected auth\.issuers to have each issuer once/);
    expect(twice(['a:', 'a:'])).toThrow(/Bad Fanwire settings/);
  });
});
