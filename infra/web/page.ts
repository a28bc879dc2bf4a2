import type { MessageFrame } from '../../shared/protocol.ts';
import { Client, type State, type TopicState } from './client.ts';

/** The demo page: shows what the client says and turns what a person does into commands. It only ever sets text. */

const LOG_LINES_MAX = 500;
/** The log follows its newest line unless somebody has scrolled further up than this. */
const FOLLOW_PIXELS_MAX = 16;
/** What Fanwire takes as `?userId=`; any other name travels in the messages alone. */
const USER_ID = /^[A-Za-z0-9_.~:@-]+$/;
const LOBBY = 'chat/lobby';
const STATES: Record<State['name'], string> = {
  disconnected: 'Disconnected',
  connecting: 'Connecting…',
  connected: 'Connected',
  waiting: 'Connection lost',
};
const TOPIC_NOTES: Record<TopicState, string> = {
  joining: ' (not joined yet)',
  joined: '',
  leaving: ' (leaving)',
};

// index.html has every one of these ids.
const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const connectButton = byId<HTMLButtonElement>('connect');
const connectionId = byId('connection-id');
const errorLine = byId('error');
const log = byId('log');
const messageInput = byId<HTMLInputElement>('message');
const nameInput = byId<HTMLInputElement>('name');
const stateLine = byId('state');
const toInput = byId<HTMLInputElement>('to');
const topicInput = byId<HTMLInputElement>('topic');
const topicList = byId<HTMLUListElement>('topics');

const topicItems = new Map<string, { readonly item: HTMLElement; readonly label: HTMLElement }>();
let ownConnectionId: string | undefined;

const client = new Client({
  onChange(state, topics) {
    showState(state);
    showTopics(topics);
  },
  onMessage: showMessage,
  onText: (text) => appendLine({ topic: 'to you', sender: 'unknown', text }),
  onError: showError,
});

nameInput.value = `guest-${Math.random().toString(36).slice(2, 6)}`;
attempt(() => client.join(LOBBY));

onSubmit('identity', async () => {
  if (connectButton.value === 'disconnect') return client.disconnect();
  client.connect(await findUrl(nameInput.value));
});

onSubmit('join', () => client.join(topicInput.value));

onSubmit('send', async () => {
  const text = messageInput.value;
  messageInput.value = '';
  try {
    await client.publish(toInput.value, { name: nameInput.value, text });
  } catch (error) {
    // The text stays to be sent again, unless the next one is being written already.
    messageInput.value ||= text;
    throw error;
  }
});

function onSubmit(form: string, act: () => Promise<void>): void {
  byId<HTMLFormElement>(form).addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(act);
  });
}

/** The error line belongs to the last thing that the person did. */
async function attempt(act: () => Promise<void>): Promise<void> {
  errorLine.hidden = true;
  try {
    await act();
  } catch (error) {
    showError(error);
  }
}

function showError(error: unknown): void {
  errorLine.textContent = error instanceof Error ? error.message : String(error);
  errorLine.hidden = false;
}

async function findUrl(userId: string): Promise<string> {
  const response = await fetch('/_fanwire/health');
  if (!response.ok) throw new Error(`expected /_fanwire/health to answer 200, got ${response.status}`);
  const { websocketUrl } = (await response.json()) as { websocketUrl: string };
  const url = new URL(websocketUrl);
  if (USER_ID.test(userId)) url.searchParams.set('userId', userId);
  return url.href;
}

function showState(state: State): void {
  ownConnectionId = state.name === 'connected' ? state.connectionId : undefined;
  const wait = state.name === 'waiting' ? `; next try in ${Math.ceil(state.retryInMs / 1000)} s` : '';
  stateLine.textContent = STATES[state.name] + wait;
  connectionId.textContent = ownConnectionId ?? '';
  const off = state.name === 'disconnected';
  connectButton.value = off ? 'connect' : 'disconnect';
  connectButton.textContent = off ? 'Connect' : 'Disconnect';
  // The connection was made in this name.
  nameInput.readOnly = !off;
}

function showTopics(topics: ReadonlyMap<string, TopicState>): void {
  for (const [topic, { item }] of topicItems) {
    if (topics.has(topic)) continue;
    item.remove();
    topicItems.delete(topic);
  }
  for (const [topic, state] of topics) {
    const { item, label } = topicItems.get(topic) ?? addTopic(topic);
    item.dataset.state = state;
    label.textContent = topic + TOPIC_NOTES[state];
  }
}

function addTopic(topic: string) {
  const leave = element('button', '', 'Leave');
  leave.setAttribute('aria-label', `Leave ${topic}`);
  leave.addEventListener('click', () => {
    // The button is about to go, and the focus should not go with it.
    topicInput.focus();
    attempt(() => client.leave(topic));
  });
  const label = element('span', '');
  const item = element('li', '');
  item.append(label, leave);
  topicList.append(item);
  const added = { item, label };
  topicItems.set(topic, added);
  return added;
}

function showMessage({ topic, publishedAt, publisher, data }: MessageFrame): void {
  const said = isSaid(data) ? data : undefined;
  appendLine({
    topic: topic ?? 'to you',
    at: publishedAt,
    // A name is what its sender says; the connection id is what Fanwire says.
    sender: said?.name ?? publisher.userId ?? publisher.connectionId ?? 'a back end',
    senderId: publisher.connectionId,
    text: said?.text ?? (typeof data === 'string' ? data : JSON.stringify(data)),
  });
}

/** What this page publishes. */
const isSaid = (data: unknown): data is { name: string; text: string } =>
  typeof data === 'object' &&
  data !== null &&
  'name' in data &&
  typeof data.name === 'string' &&
  'text' in data &&
  typeof data.text === 'string';

interface Line {
  readonly topic: string;
  readonly sender: string;
  readonly senderId?: string | undefined;
  readonly text: string;
  /** ISO 8601. */
  readonly at?: string;
}

function appendLine({ topic, sender, senderId, text, at = new Date().toISOString() }: Line): void {
  const isFollowing = log.scrollHeight - log.scrollTop - log.clientHeight < FOLLOW_PIXELS_MAX;
  const time = element('time', '', new Date(at).toLocaleTimeString());
  time.dateTime = at;
  const from = element('span', 'sender', sender);
  if (senderId) from.title = senderId;
  const isOwn = senderId !== undefined && senderId === ownConnectionId;
  const line = element('p', isOwn ? 'own' : '');
  line.append(time, ' ', element('span', 'topic', topic), ' ', from, ' ', element('span', 'text', text));
  log.append(line);
  while (log.childElementCount > LOG_LINES_MAX) log.firstElementChild?.remove();
  if (isFollowing) log.scrollTop = log.scrollHeight;
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = '',
): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  created.className = className;
  created.textContent = text;
  return created;
}
