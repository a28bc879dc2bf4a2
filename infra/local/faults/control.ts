import {
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  parseInput,
  RequestError,
  writeJson,
} from '../http/engine.ts';
import type { Faults } from './faults.ts';

export const FAULTS_PATH = '/_fanwire/faults';

/** `PUT` replaces the faults, `DELETE` ends them all, `GET` asks: each answers with those there then are, and their strikes. */
export class FaultControl implements HttpEngine {
  readonly #faults: Faults;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  handle(request: HttpRequest, body: Buffer, response: HttpResponse): void {
    try {
      writeJson(response, 200, this.#perform(request, body));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      writeJson(response, error.status, { message: error.message });
    }
  }

  #perform({ method, headers }: HttpRequest, body: Buffer): unknown {
    // Only this machine reaches the port, but so does every page in its browsers. They say where a page comes from.
    if (headers.origin !== undefined) {
      throw new RequestError('Forbidden', `expected no web page, got one of ${headers.origin}`, 403);
    }
    switch (method) {
      case 'GET':
        return this.#faults.report();
      case 'PUT':
        return this.#faults.set(parseInput(body));
      case 'DELETE':
        return this.#faults.set({ faults: [] });
      default:
        throw new RequestError('MethodNotAllowed', `expected GET, PUT or DELETE, got ${method}`, 405);
    }
  }
}
