import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../../shared/aws/sdk/clients.ts';
import { SocketHandler } from '../../../shared/aws/sdk/handler.ts';
import { RequestSigner } from '../../../shared/aws/sdk/signer.ts';

const options = { region: 'eu-west-1', credentials: { accessKeyId: 'key', secretAccessKey: 'secret' } };
const middlewareOf = ({ middlewareStack }: DynamoDBClient): string =>
  middlewareStack
    .identify()
    .join()
    .replaceAll(/ \(.*?\)/g, '');

describe('createClient', () => {
  it('gives clients our sockets and our signer', async () => {
    const { config } = createClient('sockets', DynamoDBClient, options);
    expect(config.requestHandler).toBeInstanceOf(SocketHandler);
    expect(await config.signer()).toBeInstanceOf(RequestSigner);
    expect(await config.region()).toBe('eu-west-1');
  });

  it("leaves the SDK's clients as they come", async () => {
    const client = createClient('sdk', DynamoDBClient, options);
    const asItComes = new DynamoDBClient(options);
    expect(client.config.requestHandler.constructor).toBe(asItComes.config.requestHandler.constructor);
    expect(middlewareOf(client)).toBe(middlewareOf(asItComes));
    expect(await client.config.region()).toBe('eu-west-1');
  });
});
