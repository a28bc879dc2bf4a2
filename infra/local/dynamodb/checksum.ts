import { crc32 } from 'node:zlib';
import type { HeadersOf } from '../http/engine.ts';

/**
 * What DynamoDB says of the bytes of every answer, refusals included. The SDKs for Go, Java and Python compare; that for
 * Go complains of every answer without it (aws-sdk-go-v2, `service/dynamodb/internal/customizations/checksum.go`).
 */
export const checksum: HeadersOf = (body) => ({ 'x-amz-crc32': String(crc32(body)) });
