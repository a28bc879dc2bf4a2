import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Key } from 'aws-cdk-lib/aws-kms';
import { describe, expect, it } from 'vitest';
import { completeSettings, type FanwireSettings } from '../../infra/settings.ts';
import { type Json, synthesised } from '../support/synthesised.ts';

const history = (seconds: number): FanwireSettings => ({
  namespaces: { chat: { history: { messages: 100, seconds } } },
});
const DAY_SECONDS = 86_400;

/** Tables that are worth keeping. */
const KEPT = ['Topics', 'Messages', 'Access'];

const sandbox = synthesised(history(7 * DAY_SECONDS));
const production = synthesised({ preset: 'production', ...history(DAY_SECONDS + 1) });
/** With everything that has no default. */
const full = synthesised((stack) => ({
  preset: 'production',
  accountConcurrency: 1_000,
  throttle: { ratePerSecond: 10, burst: 20, routes: { $connect: { ratePerSecond: 1, burst: 2 } } },
  reservedConcurrency: { routes: 7 },
  accessLogs: { retentionDays: 365 },
  ipAddressType: 'dualstack',
  encryptionKey: new Key(stack, 'Key'),
  domain: {
    name: 'push.example.com',
    certificate: Certificate.fromCertificateArn(
      stack,
      'Certificate',
      'arn:aws:acm:eu-west-1:000000000000:certificate/1',
    ),
  },
}));

const nameOf = (id: string): string => id.replace(/^Fanwire|(Function)?[0-9A-F]{8}$/g, '');
type Synthesised = typeof sandbox;
/** A property of every resource of a type, by the names that resources have in the construct. */
const each = ({ resources }: Synthesised, type: string, property: (of: Json) => unknown): Json =>
  Object.fromEntries(resources(type).map((resource) => [nameOf(resource.id), property(resource)]));
const stageOf = ({ resources }: Synthesised): Json => resources('AWS::ApiGatewayV2::Stage')[0];
const reservedOf = (of: Synthesised): Json =>
  each(of, 'AWS::Lambda::Function', (each) => each.ReservedConcurrentExecutions);

describe('the sandbox', () => {
  it('is what there is without a preset', () => {
    expect(completeSettings({})).toEqual(completeSettings({ preset: 'sandbox' }));
  });

  it('leaves nothing behind, and keeps no backups', () => {
    const all = Object.values<Json>(sandbox.template.toJSON().Resources);
    expect(all.filter(({ DeletionPolicy = 'Delete' }) => DeletionPolicy !== 'Delete')).toEqual([]);
    expect(JSON.stringify(all)).not.toMatch(/"(PointInTimeRecoveryEnabled|DeletionProtectionEnabled)":true/);
  });

  it('throttles, reserves and logs nothing', () => {
    const { DefaultRouteSettings, RouteSettings, AccessLogSettings } = stageOf(sandbox);
    expect([DefaultRouteSettings, RouteSettings, AccessLogSettings]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(new Set(Object.values(reservedOf(sandbox)))).toEqual(new Set([undefined]));
  });
});

describe('production', () => {
  it('throttles what clients send', () => {
    const { DefaultRouteSettings, RouteSettings } = stageOf(production);
    expect(DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 1_000 });
    expect(RouteSettings).toEqual({ ping: { ThrottlingRateLimit: 2_000, ThrottlingBurstLimit: 2_000 } });
  });

  it('reserves for each worker what its queues may have run, and nothing for routes', () => {
    const { Fanout, Deliver, Close, Sweep, ...routes } = reservedOf(production);
    expect({ Fanout, Deliver, Close, Sweep }).toEqual({ Fanout: 50, Deliver: 12, Close: 2, Sweep: 2 });
    expect(new Set(Object.values(routes))).toEqual(new Set([undefined]));
  });

  it('logs nothing that a client has written', () => {
    const { AccessLogSettings } = stageOf(production);
    const names = Object.values<string>(JSON.parse(AccessLogSettings.Format));
    expect(names).toContain('$context.requestId');
    for (const name of names) expect(name).toMatch(/^\$context\.[\w.]+$/);
    expect(AccessLogSettings.Format).not.toMatch(
      /header|query|path|input|body|error\.message|userAgent|token/i,
    );
    const [group, ...others] = production
      .resources('AWS::Logs::LogGroup')
      .filter(({ id }) => id.startsWith('FanwireAccessLog'));
    expect([group.RetentionInDays, others]).toEqual([30, []]);
    expect(JSON.stringify(AccessLogSettings.DestinationArn)).toContain(group.id);
  });

  it('can bring back topics with a history of more than a day, and keeps them from being deleted', () => {
    const kept = (of: Synthesised) =>
      each(of, 'AWS::DynamoDB::Table', (table) => [
        table.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled ?? false,
        table.DeletionProtectionEnabled ?? false,
      ]);
    const passing = { Connections: [false, false], Subscriptions: [false, false] };
    const keeping = (on: boolean) => Object.fromEntries(KEPT.map((name) => [name, [on, on]]));
    expect(kept(production)).toEqual({ ...passing, ...keeping(true) });
    expect(kept(full)).toEqual({ ...passing, ...keeping(false) });
    expect(completeSettings({ preset: 'production', ...history(DAY_SECONDS) })).toMatchObject({
      pointInTimeRecovery: false,
      deletionProtection: false,
    });
  });

  it('leaves behind what tells of what was, unless its first deployment fails', () => {
    const policies = Object.entries<Json>(production.template.toJSON().Resources)
      .filter(([, { DeletionPolicy = 'Delete' }]) => DeletionPolicy !== 'Delete')
      .map(([id, { DeletionPolicy }]) => [nameOf(id).replace(/.*Log$/, 'Log'), DeletionPolicy]);
    expect(Object.fromEntries(policies)).toEqual(
      Object.fromEntries(
        [...KEPT, 'IngestDeadLetters', 'DeliveryDeadLetters', 'ClosingDeadLetters', 'Log'].map((name) => [
          name,
          'RetainExceptOnCreate',
        ]),
      ),
    );
    expect(policies.filter(([name]) => name === 'Log')).toHaveLength(
      production.resources('AWS::Logs::LogGroup').length,
    );
  });
});

describe('the API of tickets', () => {
  const auth = { grants: true, tickets: { allowOrigins: ['https://app.example.com'] } };
  const ticketsIn = ({ resources }: Synthesised, type: string): Json =>
    resources(type).find(({ id }) => id.startsWith('FanwireTickets'));

  it('is throttled and logged in production as that of clients, without anything that a client has written', () => {
    const { DefaultRouteSettings, AccessLogSettings } = ticketsIn(
      synthesised({ preset: 'production', auth }),
      'AWS::ApiGatewayV2::Stage',
    );
    expect(DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 1_000 });
    for (const name of Object.values<string>(JSON.parse(AccessLogSettings.Format))) {
      expect(name).toMatch(/^\$context\.[\w.]+$/);
      expect(name).not.toMatch(/header|query|path|input|body|error\.message|userAgent|token/i);
    }
  });

  it('lets pages of the origins in the settings ask, and no others', () => {
    const corsOf = (tickets: true | typeof auth.tickets) =>
      ticketsIn(synthesised({ auth: { grants: true, tickets } }), 'AWS::ApiGatewayV2::Api').CorsConfiguration;
    expect(corsOf(auth.tickets)).toMatchObject({
      ...{ AllowOrigins: ['https://app.example.com'], AllowMethods: ['POST'] },
      AllowHeaders: ['authorization', 'content-type'],
    });
    expect(corsOf(true)).toBeUndefined();
  });

  it('is there with the setting only', () => {
    const { fanwire, resources } = synthesised({ auth: { grants: true } });
    expect(resources('AWS::ApiGatewayV2::Api')).toHaveLength(1);
    expect([fanwire.ticketsUrl, fanwire.ticketsApi, fanwire.functions.tickets]).toEqual(
      Array(3).fill(undefined),
    );
    expect(ticketsIn({ resources } as Synthesised, 'AWS::Lambda::Function')).toBeUndefined();
  });
});

describe('settings', () => {
  it('go before the preset', () => {
    const settings = completeSettings({
      preset: 'production',
      ...history(7 * DAY_SECONDS),
      ...{ throttle: false, accessLogs: false, removal: 'destroy', deletionProtection: false },
      reservedConcurrency: { routes: 5 },
    });
    expect(settings).toMatchObject({
      ...{ throttle: false, accessLogs: false, removal: 'destroy' },
      ...{ deletionProtection: false, pointInTimeRecovery: true },
      reservedConcurrency: { workers: true, routes: 5 },
    });
  });

  it('throttle each route, and reserve for each', () => {
    const { DefaultRouteSettings, RouteSettings } = stageOf(full);
    expect(DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 });
    expect(RouteSettings).toEqual({ $connect: { ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2 } });
    const { Fanout, Deliver, Close, Sweep, ...routes } = reservedOf(full);
    expect([Fanout, Deliver, Close, Sweep]).toEqual([50, 12, 2, 2]);
    expect(new Set(Object.values(routes))).toEqual(new Set([7]));
  });

  it('lead a name of your own to the stage, and let clients come with IPv6', () => {
    const [domain] = full.resources('AWS::ApiGatewayV2::DomainName');
    const [mapping] = full.resources('AWS::ApiGatewayV2::ApiMapping');
    const [api] = full.resources('AWS::ApiGatewayV2::Api');
    expect(full.fanwire.url).toBe('wss://push.example.com');
    expect(domain).toMatchObject({
      DomainName: 'push.example.com',
      DomainNameConfigurations: [{ EndpointType: 'REGIONAL', IpAddressType: 'dualstack' }],
    });
    expect(mapping).toMatchObject({
      ...{ ApiId: { Ref: api.id }, DomainName: { Ref: domain.id }, Stage: 'prod' },
      DependsOn: expect.arrayContaining([stageOf(full).id]),
    });
    expect(api).toMatchObject({ IpAddressType: 'dualstack' });
    expect(JSON.stringify(full.resources('AWS::Lambda::Function'))).not.toContain('push.example.com');
  });

  it('encrypt tables and queues with a key, and let exactly their users use it', () => {
    const [key] = full.resources('AWS::KMS::Key');
    const arn = { 'Fn::GetAtt': [key.id, 'Arn'] };
    for (const { SSESpecification } of full.resources('AWS::DynamoDB::Table')) {
      expect(SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: arn });
    }
    for (const { KmsMasterKeyId } of full.resources('AWS::SQS::Queue')) expect(KmsMasterKeyId).toEqual(arn);
    const mayUseKey = full.resources('AWS::IAM::Policy').flatMap(({ id, PolicyDocument }) => {
      const statements = PolicyDocument.Statement.filter(({ Action }: Json) => /kms:/.test(`${Action}`));
      for (const { Resource } of statements) expect(Resource).toEqual(arn);
      return statements.map(() => id.replace(/^Fanwire|RoleDefaultPolicy.*$/g, ''));
    });
    const users = full
      .resources('AWS::IAM::Policy')
      .flatMap(({ id, PolicyDocument }) =>
        /"(dynamodb|sqs):/.test(JSON.stringify(PolicyDocument))
          ? [id.replace(/^Fanwire|RoleDefaultPolicy.*$/g, '')]
          : [],
      );
    expect(mayUseKey.sort()).toEqual(users.sort());
    expect(users).not.toContain('Scheduler');
    expect(full.resources('AWS::IAM::Policy').length).toBeGreaterThan(users.length);
    const bus = key.KeyPolicy.Statement.find(({ Principal }: Json) => Principal.Service);
    expect(bus).toMatchObject({ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' } });
    expect(bus.Action).toEqual(expect.arrayContaining(['kms:Decrypt', 'kms:GenerateDataKey*']));
  });

  it('that are out of bounds are all named', () => {
    expect(() =>
      completeSettings({
        preset: 'prod' as never,
        throttle: {
          ratePerSecond: 0,
          burst: 1.5,
          routes: { publish: { ratePerSecond: 2_000_000, burst: 1 } },
        },
        reservedConcurrency: { routes: 0 },
        accountConcurrency: 9,
        accessLogs: { retentionDays: 31 },
        removal: 'snapshot' as never,
        ipAddressType: 'ipv6' as never,
        domain: { name: 'wss://push.example.com', certificate: undefined as never },
      }),
    ).toThrow(
      'Bad Fanwire settings: expected preset to be one of sandbox, production, got prod; ' +
        'expected throttle.ratePerSecond to be a whole number from 1 to 1000000, got 0; ' +
        'expected throttle.burst to be a whole number from 1 to 1000000, got 1.5; ' +
        'expected throttle.routes.publish.ratePerSecond to be a whole number from 1 to 1000000, got 2000000; ' +
        'expected reservedConcurrency.routes to be a whole number from 1 to 1000, got 0; ' +
        'expected accountConcurrency to be a whole number from 10 to 1000000, got 9; ' +
        'expected accessLogs.retentionDays to be one of 1, 3, 5,',
    );
    const throttle = { ratePerSecond: 1, burst: 1, routes: { shout: { ratePerSecond: 1, burst: 1 } } };
    expect(() => synthesised({ throttle })).toThrow(
      /expected throttle\.routes to name routes \(.*\), got shout/,
    );
  });
});

describe('the warning of an account that is too small', () => {
  const warningsOf = ({ stack }: Synthesised): string[] =>
    Annotations.fromStack(stack)
      .findWarning('*', Match.stringLikeRegexp('concurren'))
      .map(({ entry }) => String(entry.data));

  it('comes in production if its quota is not known', () => {
    expect(warningsOf(production)).toEqual([expect.stringContaining('take up to 66')]);
    expect([...warningsOf(sandbox), ...warningsOf(full)]).toEqual([]);
  });

  it('comes if what is reserved leaves Lambda less than it keeps', () => {
    const small = synthesised({ preset: 'production', accountConcurrency: 165 });
    expect(warningsOf(small)).toEqual([expect.stringContaining('has 165 fails')]);
  });

  it('comes if workers could take all of it', () => {
    expect(warningsOf(synthesised({ accountConcurrency: 66 }))).toEqual([
      expect.stringContaining('nobody can connect'),
    ]);
    expect(warningsOf(synthesised({ accountConcurrency: 67 }))).toEqual([]);
  });
});
