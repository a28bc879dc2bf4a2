import { badRequest } from './errors.ts';
import type { Pattern, Topic } from './topic.ts';

/** What holds for every topic of a namespace, which is a topic's first segment. */
export interface Namespace {
  /** How much of a topic can be read again, whichever ends first; absent on volatile topics, whose messages have no offsets. */
  readonly history?: { readonly messages: number; readonly seconds: number };
  /** Subscribers may go on from a position. */
  readonly recovery: boolean;
  /** Topics may be subscribed to by the subtree. */
  readonly wildcards: boolean;
  /** A new subscriber gets the newest message, however old it is. */
  readonly lastValue: boolean;
  /** Clients may publish, not only back ends. */
  readonly clientPublish: boolean;
  /** Only a grant gives a right to read its topics: neither what the settings give nor a connection's own token. */
  readonly grants?: 'required';
  /** Bytes of data in one message. */
  readonly dataBytesMax: number;
}
export type HistoryNamespace = Namespace & Required<Pick<Namespace, 'history'>>;

/** By name; `*` stands for every namespace that is not named. */
export type Namespaces = Readonly<Record<string, Namespace>> & { readonly '*': Namespace };

export const namespaceOf = (topic: Topic | Pattern, namespaces: Namespaces): Namespace => {
  const [name = ''] = topic.split('/');
  return (Object.hasOwn(namespaces, name) ? namespaces[name] : undefined) ?? namespaces['*'];
};

export const keepsHistory = (namespace: Namespace): namespace is HistoryNamespace =>
  namespace.history !== undefined;

/** The namespace of a topic that has to keep history. */
export function historyNamespaceOf(topic: Topic, namespaces: Namespaces): HistoryNamespace {
  const namespace = namespaceOf(topic, namespaces);
  if (!keepsHistory(namespace)) throw badRequest('a topic that keeps history', topic);
  return namespace;
}

/** A Lambda's setting: written by the template, so trusted. */
export const parseNamespaces = (text: string): Namespaces => JSON.parse(text) as Namespaces;
