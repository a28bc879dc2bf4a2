import { Action, ack, parseBare } from '../../shared/protocol.ts';
import { route } from '../../shared/route.ts';

/** Tells a client that the way to a Lambda and back works, and keeps the connection from idling out. */
export const handler = route(parseBare(Action.ping), ({ frame }) => ack(Action.ping, frame));
