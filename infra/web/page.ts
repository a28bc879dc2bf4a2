import {
  type Client,
  connect,
  FanwireError,
  type Message,
  type StateChange,
  type Subscription,
} from '../../shared/client/index.ts';

/** The demo page: shows what the client says and turns what a person does into commands. It only ever sets text. */

const LOG_LINES_MAX = 500;
/** The log follows its newest line unless somebody has scrolled further up than this. */
const FOLLOW_PIXELS_MAX = 16;
/** What Fanwire takes as `?userId=` from apps that ask nobody. Everywhere else a name travels in the messages alone. */
const USER_ID = /^[A-Za-z0-9_.~:@-]+$/;
const LOBBY = 'chat/lobby';
/** What somebody who comes in sees of what was said before. */
const REWIND = 10;
const STATES: Record<StateChange['state'], string> = {
  connecting: 'Connecting…',
  connected: 'Connected',
  disconnected: 'Connection lost',
  closed: 'Disconnected',
};
const TOPIC_NOTES = { joining: ' (not joined yet)', joined: '' };
type TopicState = keyof typeof TOPIC_NOTES;

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

interface Joined {
  readonly item: HTMLElement;
  readonly label: HTMLElement;
  /** Ends the subscription; there is none while nobody is connected. */
  leave: () => void;
}

/** What the person wants to be in, connected or not. */
const topics = new Map<string, Joined>();
/** Ids of messages that were sent from here. */
const ownMessages = new Set<string>();
let client: Client | undefined;

nameInput.value = `guest-${Math.random().toString(36).slice(2, 6)}`;
join(LOBBY);

onSubmit('identity', async () => {
  if (client) return client.close();
  client = connect({ url: await findUrl(nameInput.value) });
  client.on('state', showState);
  client.on('message', showMessage);
  client.on('error', showReport);
  showState({ state: client.state });
  for (const topic of topics.keys()) subscribe(topic);
});

onSubmit('join', async () => join(topicInput.value));

onSubmit('send', async () => {
  const text = messageInput.value;
  messageInput.value = '';
  try {
    if (!client) throw new Error('expected a connection to publish on, got none');
    const { messageId } = await client.publish(toInput.value, { name: nameInput.value, text });
    ownMessages.add(messageId);
    markOwn(messageId);
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

function showState({ state, retryInMs }: StateChange): void {
  const wait = retryInMs === undefined ? '' : `; next try in ${Math.ceil(retryInMs / 1000)} s`;
  stateLine.textContent = STATES[state] + wait;
  const isOff = state === 'closed';
  if (isOff) client = undefined;
  connectButton.textContent = isOff ? 'Connect' : 'Disconnect';
  // The connection was made in this name.
  nameInput.readOnly = !isOff;
  connectionId.textContent = '';
  if (state === 'connected') attempt(showConnectionId);
  else for (const topic of topics.keys()) showTopic(topic, 'joining');
}

async function showConnectionId(): Promise<void> {
  const identity = await client?.whoami();
  connectionId.textContent = identity?.connectionId ?? '';
}

function join(topic: string): void {
  if (topics.has(topic)) return;
  topics.set(topic, addTopic(topic));
  showTopic(topic, 'joining');
  if (client) subscribe(topic);
}

function subscribe(topic: string): void {
  const [connected, joined] = [client, topics.get(topic)];
  if (connected && joined) attempt(() => follow(connected, topic, joined));
}

async function follow(connected: Client, topic: string, joined: Joined): Promise<void> {
  const rewind = topic.startsWith('chat/') && !topic.endsWith('/*') ? { rewind: REWIND } : {};
  const show = () => showTopic(topic, 'joined');
  let subscription: Subscription | undefined;
  try {
    subscription = connected.subscribe(topic, { ...rewind, onMessage: showMessage, onRecovery: show });
    joined.leave = () => subscription?.unsubscribe();
    await subscription.ready;
    show();
  } catch (error) {
    // What is no topic has no subscription.
    if (!subscription || subscription.error) remove(topic);
    // That the person has left or disconnected is no news.
    if (!(error instanceof FanwireError && error.code === 'closed')) throw error;
  }
}

function leave(topic: string): void {
  topics.get(topic)?.leave();
  remove(topic);
}

function remove(topic: string): void {
  topics.get(topic)?.item.remove();
  topics.delete(topic);
}

function showTopic(topic: string, state: TopicState): void {
  const joined = topics.get(topic);
  if (!joined) return;
  joined.item.dataset.state = state;
  joined.label.textContent = topic + TOPIC_NOTES[state];
}

function addTopic(topic: string): Joined {
  const button = element('button', '', 'Leave');
  button.setAttribute('aria-label', `Leave ${topic}`);
  button.addEventListener('click', () => {
    // The button is about to go, and the focus should not go with it.
    topicInput.focus();
    leave(topic);
  });
  const label = element('span', '');
  const item = element('li', '');
  item.append(label, button);
  topicList.append(item);
  return { item, label, leave: () => {} };
}

/** Whoever may call `@connections` can post what they like to this page. */
function showReport(error: FanwireError): void {
  if (error.code === 'bad_frame')
    appendLine({ topic: 'to you', sender: 'unknown', text: String(error.cause) });
  else showError(error);
}

function showMessage({ topic, messageId, publishedAt, publisher, data }: Message): void {
  const said = isSaid(data) ? data : undefined;
  appendLine({
    topic: topic ?? 'to you',
    at: publishedAt,
    // A name is what its sender says, and all that there is of somebody without a token; the ids are what Fanwire says.
    sender: said?.name ?? publisher.userId ?? publisher.connectionId ?? 'somebody',
    senderId: publisher.connectionId,
    messageId,
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
  readonly messageId?: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at?: string;
}

function appendLine({
  topic,
  sender,
  senderId,
  messageId = '',
  text,
  at = new Date().toISOString(),
}: Line): void {
  const isFollowing = log.scrollHeight - log.scrollTop - log.clientHeight < FOLLOW_PIXELS_MAX;
  const time = element('time', '', new Date(at).toLocaleTimeString());
  time.dateTime = at;
  const from = element('span', 'sender', sender);
  if (senderId) from.title = senderId;
  const line = element('p', '');
  line.dataset.messageId = messageId;
  line.append(time, ' ', element('span', 'topic', topic), ' ', from, ' ', element('span', 'text', text));
  log.append(line);
  if (ownMessages.has(messageId)) markOwn(messageId);
  while (log.childElementCount > LOG_LINES_MAX) log.firstElementChild?.remove();
  if (isFollowing) log.scrollTop = log.scrollHeight;
}

/** A message can come before its sender knows its id. */
function markOwn(messageId: string): void {
  for (const line of log.children) {
    if (line instanceof HTMLElement && line.dataset.messageId === messageId) line.className = 'own';
  }
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
