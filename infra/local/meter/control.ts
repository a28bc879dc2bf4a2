import { type HttpEngine, type HttpRequest, type HttpResponse, writeJson } from '../http/engine.ts';
import type { Meter } from './meter.ts';

export const USAGE_PATH = '/_fanwire/usage';

/** `GET` answers with the usage, `DELETE` too and then counts from zero. */
export class UsageControl implements HttpEngine {
  readonly #meter: Pick<Meter, 'report' | 'reset'>;

  constructor(meter: Pick<Meter, 'report' | 'reset'>) {
    this.#meter = meter;
  }

  handle({ method = '', headers }: HttpRequest, _body: Buffer, response: HttpResponse): void {
    if (method !== 'GET' && method !== 'DELETE') {
      writeJson(response, 405, { message: `expected GET or DELETE, got ${method}` });
    } else if (method === 'DELETE' && headers.origin !== undefined) {
      // Every page in this machine's browsers reaches the port; none may set the counts back.
      writeJson(response, 403, { message: `expected no web page, got one of ${headers.origin}` });
    } else {
      writeJson(response, 200, this.#meter.report());
      if (method === 'DELETE') this.#meter.reset();
    }
  }
}
