import type { HttpRequest } from './engine.ts';

const LOOPBACK = String.raw`(?:(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])`;
/** Names that lead to this machine whoever resolves them (RFC 6761 §6.3), and addresses that do. */
const LOOPBACK_HOST = new RegExp(`^${LOOPBACK}$`, 'i');
const LOOPBACK_ORIGIN = new RegExp(`^https?://${LOOPBACK}(?::\\d+)?$`, 'i');

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i;
const OF_THE_WEB = /^https?:/i;
/** Of pages that have none of their own: from files, and in sandboxed frames (HTML, "opaque origin"). */
const OPAQUE = 'null';
const PORT = /:\d*$/;

/** An origin as browsers write it, without the port that its scheme has anyway. What is none gives undefined. */
export function parseOrigin(text: string): string | undefined {
  if (text === OPAQUE) return text;
  if (!ORIGIN.test(text)) return undefined;
  return OF_THE_WEB.test(text) ? URL.parse(text)?.origin : text.toLowerCase();
}

/**
 * Whom the port serves. Only this machine reaches it, but so does every page that is open in its browsers: one of another
 * origin opens a WebSocket or sends a simple POST without asking, and one whose name has been led to 127.0.0.1 meanwhile
 * (DNS rebinding) is of the same origin as what it asks for. The first is told by its `Origin`, the other by its `Host`.
 */
export class Origins {
  readonly #allowed: ReadonlySet<string>;
  /** An allowed page may have come from here, too. */
  readonly #hosts: ReadonlySet<string>;

  /** Takes origins that `parseOrigin` has made, beside those of this machine. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = new Set(allowed);
    this.#hosts = new Set(allowed.flatMap((origin) => origin.split('://').slice(1).map(hostIn)));
  }

  /** Why a request is not served, if it is not. */
  objectionTo({ headers: { host, origin } }: HttpRequest): string | undefined {
    // Without a Host it is of HTTP/1.0, which no browser speaks.
    if (host !== undefined && !this.#isHost(hostIn(host))) {
      return `expected a Host of this machine, like localhost, got ${host}; --allow-origin http://${host} allows it`;
    }
    if (origin !== undefined && !this.#isOrigin(origin)) {
      return `expected a page of this machine, like http://localhost, got one of ${origin}; --allow-origin ${origin} allows it`;
    }
    return undefined;
  }

  #isHost(host: string): boolean {
    return LOOPBACK_HOST.test(host) || this.#hosts.has(host);
  }

  #isOrigin(origin: string): boolean {
    return LOOPBACK_ORIGIN.test(origin) || this.#allowed.has(parseOrigin(origin) ?? '');
  }
}

/** Without its port. */
const hostIn = (authority: string): string => authority.replace(PORT, '').toLowerCase();
