import { randomUUID } from 'node:crypto';
import {
  ApiGatewayManagementApiClient,
  type ApiGatewayManagementApiClientConfig,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { Client, type ConnectOptions } from './clients.ts';
import type { Observations } from './observations.ts';

export const post = (id: string, data: string | Uint8Array = 'posted') =>
  new PostToConnectionCommand({ ConnectionId: id, Data: data });
export const describeConnection = (id: string) => new GetConnectionCommand({ ConnectionId: id });
export const remove = (id: string) => new DeleteConnectionCommand({ ConnectionId: id });

export type ManagementCommand = PostToConnectionCommand | GetConnectionCommand | DeleteConnectionCommand;

/** One of the three: the overloads of `send` know each, but not their union. */
export const sendCommand = (client: ApiGatewayManagementApiClient, command: ManagementCommand) =>
  client.send(command as PostToConnectionCommand);

type Query = Readonly<Record<string, string>>;

/** One stage of the app: how clients reach it, and back ends. */
export class Stage {
  /** `wss://…/main`. */
  readonly url: string;
  /** The real SDK, with its retries. */
  readonly management: ApiGatewayManagementApiClient;
  readonly config: ApiGatewayManagementApiClientConfig;
  readonly #observations: Observations;

  constructor(url: string, config: ApiGatewayManagementApiClientConfig, observations: Observations) {
    this.url = url;
    this.config = { ...config, endpoint: url.replace(/^ws/, 'http') };
    this.management = new ApiGatewayManagementApiClient(this.config);
    this.#observations = observations;
  }

  at(query: Query): string {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return `${this.url}?${pairs.join('&')}`;
  }

  /** Opens a connection; its id is the one that $connect saw, and `name` the case that it wrote it down under. */
  async connect(query: Query = {}, options: ConnectOptions = {}) {
    const name = randomUUID();
    const client = await new Client(this.at({ case: name, ...query }), options).opened();
    return { client, name, id: await this.connectionId(name) };
  }

  /** Of the connection that $connect saw in this case. */
  async connectionId(name: string): Promise<string> {
    const { requestContext } = await this.#observations.event(name, 'CONNECT');
    return requestContext.connectionId;
  }
}
