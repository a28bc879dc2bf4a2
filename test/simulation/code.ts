import { assemble as assembleAuthenticate } from '../../services/authenticate/assemble.ts';
import { authenticate } from '../../services/authenticate/authenticate.ts';
import { type AuthorizeClients, assemble as assembleAuthorize } from '../../services/authorize/assemble.ts';
import { authorize } from '../../services/authorize/authorize.ts';
import { assemble as assembleClose } from '../../services/close/assemble.ts';
import { close } from '../../services/close/close.ts';
import { assemble as assembleConnect } from '../../services/connect/assemble.ts';
import { connect } from '../../services/connect/connect.ts';
import { assemble as assembleDefault } from '../../services/default/assemble.ts';
import { parseUnknown } from '../../services/default/unknown.ts';
import { assemble as assembleDeliver } from '../../services/deliver/assemble.ts';
import { deliverJobs } from '../../services/deliver/deliver-jobs.ts';
import { assemble as assembleDisconnect } from '../../services/disconnect/assemble.ts';
import { disconnect } from '../../services/disconnect/disconnect.ts';
import { assemble as assembleFanOut } from '../../services/fanout/assemble.ts';
import { fanOut } from '../../services/fanout/fan-out.ts';
import { assemble as assembleHistory } from '../../services/history/assemble.ts';
import { history } from '../../services/history/history.ts';
import { assemble as assemblePing } from '../../services/ping/assemble.ts';
import { ping } from '../../services/ping/ping.ts';
import { assemble as assemblePublish } from '../../services/publish/assemble.ts';
import { publish } from '../../services/publish/publish.ts';
import { assemble as assembleSend } from '../../services/send/assemble.ts';
import { send } from '../../services/send/send.ts';
import { assemble as assembleSubscribe } from '../../services/subscribe/assemble.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { assemble as assembleSweep } from '../../services/sweep/assemble.ts';
import { sweep } from '../../services/sweep/sweep.ts';
import { assemble as assembleUnsubscribe } from '../../services/unsubscribe/assemble.ts';
import { unsubscribe } from '../../services/unsubscribe/unsubscribe.ts';
import { assemble as assembleWhoami } from '../../services/whoami/assemble.ts';
import { whoami } from '../../services/whoami/whoami.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/access.ts';
import { createTakeToken, type GrantClients, type TakeToken } from '../../shared/auth/own-token.ts';
import { parseAuth } from '../../shared/auth/settings.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
// Loaded here: a delivery loads it late, and to wait for a file is not for virtual time.
import '../../shared/delivery/stores.ts';
import { createTickets } from '../../shared/data/tickets.ts';
import { authorizer } from '../../shared/lambda/authorizer.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import type { ConnectEvent, DisconnectEvent } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { route } from '../../shared/lambda/route.ts';
import type { Handler } from '../../shared/lambda/stack.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { Action } from '../../shared/protocol/frames.ts';
import {
  parseAuthenticate,
  parseBare,
  parseHistory,
  parsePing,
  parsePublish,
  parseSend,
  parseSubscribe,
  parseSubscription,
} from '../../shared/protocol/parse.ts';
import type { Clients } from './clients.ts';
import type { SystemConfig } from './settings.ts';

/**
 * What a simulated world runs of Fanwire: its functions, assembled as their entries assemble them, and its client. A
 * copy of this file beside other sources, older ones or with a bug planted in them, makes the same of those.
 */
export { connect as connectClient } from '../../shared/client/index.ts';

/** Makes the handler of one environment; `change` may put something else in place of what it was assembled of. */
export type Load<E, R> = (
  config: SystemConfig,
  clients: Clients,
  environment: Clock,
  change: <D>(deps: D) => D,
) => Handler<E, R>;

type LateClients = GrantClients & Pick<AuthorizeClients, 'tickets'>;

/** What entries make when it is first needed. */
const lateClients = (config: SystemConfig, clients: Clients, clock: Clock): LateClients => ({
  takeGrant: async () => {
    const auth = parseAuth({ grants: config.auth.grants });
    const deps = { ...clients, audience: config.audience, now: clock.now };
    return createTakeToken(
      createAuthenticate(auth, deps),
      createRevocations(clients.dynamodb, config.accessTable, clock),
    );
  },
  tickets: async (table, now) => createTickets(clients.dynamodb, table, now),
});

const of =
  <D, E, R>(
    assemble: (config: SystemConfig, clients: Clients & LateClients, clock: Clock) => D,
    toHandler: (deps: D) => Handler<E, R>,
  ): Load<E, R> =>
  (config, clients, environment, change) =>
    toHandler(
      change(assemble(config, { ...clients, ...lateClients(config, clients, environment) }, environment)),
    );

export const functions = {
  authorize: of(assembleAuthorize, (deps) => authorizer((event) => authorize(event, deps))),
  authenticate: of(assembleAuthenticate, (deps) =>
    route(parseAuthenticate, (input) => authenticate(input, deps), deps.limits),
  ),
  connect: of(assembleConnect, (deps) => lifecycle((event: ConnectEvent) => connect(event, deps))),
  disconnect: of(assembleDisconnect, (deps) =>
    lifecycle((event: DisconnectEvent) => disconnect(event, deps)),
  ),
  subscribe: of(assembleSubscribe, (deps) =>
    route(parseSubscribe, (input) => subscribe(input, deps), deps.limits),
  ),
  unsubscribe: of(assembleUnsubscribe, (deps) =>
    route(parseSubscription(Action.unsubscribe), (input) => unsubscribe(input, deps), deps.limits),
  ),
  publish: of(assemblePublish, (deps) => route(parsePublish, (input) => publish(input, deps), deps.limits)),
  send: of(assembleSend, (deps) => route(parseSend, (input) => send(input, deps), deps.limits)),
  history: of(assembleHistory, (deps) => route(parseHistory, (input) => history(input, deps), deps.limits)),
  ping: of(assemblePing, (deps) => route(parsePing, (input) => ping(input, deps), deps.limits)),
  whoami: of(assembleWhoami, (deps) =>
    route(parseBare(Action.whoami), (input) => whoami(input, deps), deps.limits),
  ),
  $default: of(assembleDefault, (deps) => route<never>(parseUnknown, ({ frame }) => frame, deps.limits)),
  fanout: of(assembleFanOut, (deps) => worker((records, stopAtMs) => fanOut(records, deps, stopAtMs), deps)),
  deliver: of(assembleDeliver, (deps) =>
    worker((records, stopAtMs) => deliverJobs(records, deps, stopAtMs), deps),
  ),
  close: of(assembleClose, (deps) => worker((records, stopAtMs) => close(records, deps, stopAtMs), deps)),
  sweep: of(
    assembleSweep,
    (deps): Handler<object, void> =>
      async () =>
        void (await sweep(deps)),
  ),
};

/** Takes tokens as somebody verifies them who needs no time for it. */
export const takeTokenBy = (
  authenticate: Authenticate,
  config: SystemConfig,
  { dynamodb }: Clients,
  clock: Clock,
): TakeToken => createTakeToken(authenticate, createRevocations(dynamodb, config.accessTable, clock));

/** What this file makes, of whatever sources. */
export type Code = typeof import('./code.ts');

/** Nobody reads what the functions log. */
export const silence = (): void => void logger.setLogLevel('SILENT');
