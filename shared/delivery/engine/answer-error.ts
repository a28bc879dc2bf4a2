import type { Answer } from '../../aws/http/transport.ts';

interface AnswerError {
  readonly name: string;
  readonly message: string | undefined;
}

/** What the SDK would read out of an answer that is no success: the name from the header, else from the body. */
export function answerError({ errorType, body }: Answer): AnswerError {
  const fields = body.length > 0 ? parse(body) : {};
  const name = [errorType, fields.code, fields.__type].find(
    (type) => typeof type === 'string' && type !== '',
  );
  const message = fields.message ?? fields.Message;
  return {
    name: typeof name === 'string' ? bare(name) : 'Unknown',
    message: typeof message === 'string' ? message : undefined,
  };
}

/** `aws.protocols#GoneException:http://…` is a GoneException. */
function bare(type: string): string {
  const [name = ''] = type.split(/[,:]/, 1);
  return name.slice(name.indexOf('#') + 1);
}

function parse(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {}; // a proxy's page, say: the status says enough
    throw error;
  }
}
