import { isRecord } from '../../../shared/protocol/json.ts';

/** Leads every address at one of the hosts, wherever it stands in a value, to the local endpoint. */
type Redirect = <T>(value: T) => T;

/** `pathOf` says, by host, which path there is the root of what AWS serves at that host. */
export function createRedirect(pathOf: ReadonlyMap<string, string>, endpoint: string): Redirect {
  if (pathOf.size === 0) return (value) => value;
  const names = [...pathOf.keys()].map((host) => host.replaceAll('.', '\\.')).join('|');
  const address = new RegExp(`(https|wss)://(${names})(?![\\w.-])`, 'g');
  const local = { https: endpoint, wss: endpoint.replace(/^http/, 'ws') };
  const redirect = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replace(
        address,
        (_, scheme: keyof typeof local, host: string) => local[scheme] + pathOf.get(host),
      );
    if (Array.isArray(value)) return value.map(redirect);
    if (!isRecord(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redirect(inner)]));
  };
  return redirect as Redirect; // it changes texts, never the shape of a value
}
