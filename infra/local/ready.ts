import type { GatewaySettings } from './apigateway/gateway.ts';
import type { AccessKey } from './credentials.ts';
import type { Names } from './stack/names.ts';
import type { Stack } from './stack/stack.ts';

/** What a client needs to use the system. */
export interface Ready extends AccessKey {
  readonly websocketUrl: string;
  /** Every AWS service, as an SDK's `endpoint` or as `AWS_ENDPOINT_URL`. */
  readonly endpoint: string;
  readonly consoleUrl: string;
  readonly region: string;
  readonly eventBusName: string;
  /** Table names, by what the CDK app calls the tables. */
  readonly tables: Readonly<Record<string, string>>;
  /** Queue URLs, by what the CDK app calls the queues. */
  readonly queues: Readonly<Record<string, string>>;
  /** ARNs of secrets, by what the CDK app calls them. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Of the stack, by the names that the CDK app gives them. */
  readonly outputs: Readonly<Record<string, string>>;
}

interface System {
  readonly stack: Stack;
  readonly names: Names;
  /** The first is the one that clients use. */
  readonly gateways: readonly GatewaySettings[];
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: AccessKey;
}

export function describeReady(system: System): Ready {
  const { stack, gateways, endpoint, region, credentials } = system;
  const stage = gateways[0]?.stage ?? '';
  const [bus] = stack.ofType('AWS::Events::EventBus');
  return {
    websocketUrl: `${endpoint.replace(/^http/, 'ws')}/${stage}`,
    endpoint,
    consoleUrl: `${endpoint}/`,
    region,
    ...credentials,
    eventBusName: bus ? stack.physicalName(bus.logicalId) : 'default',
    tables: named(system, 'AWS::DynamoDB::Table', (id) => stack.physicalName(id)),
    queues: named(system, 'AWS::SQS::Queue', (id) => stack.ref(id)),
    secrets: named(system, 'AWS::SecretsManager::Secret', (id) => stack.ref(id)),
    outputs: stack.outputs,
  };
}

/** What clients need to know of each resource of a type, by its short name. */
const named = (
  { stack, names }: Pick<System, 'stack' | 'names'>,
  type: string,
  value: (logicalId: string) => string,
): Record<string, string> =>
  Object.fromEntries(
    stack.ofType(type).map(({ logicalId }) => {
      return [names.shortName(type, stack.physicalName(logicalId)), value(logicalId)];
    }),
  );
