import type { Environment } from '../../shared/client/options.ts';
import type { Gateway } from './gateway.ts';
import { Socket, type Tap } from './socket.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;

/** Where a client runs: a page or a process, with its own clock, its network, and an end. */
export class Device {
  readonly sockets: Socket[] = [];
  readonly #world: World;
  readonly #gateway: Gateway;
  readonly #tap: Tap;
  #skewMs: number;
  readonly #listeners = { online: new Set<() => void>(), offline: new Set<() => void>() };
  #isOnline = true;
  #isAlive = true;

  constructor(world: World, gateway: Gateway, tap: Tap) {
    this.#world = world;
    this.#tap = tap;
    this.#gateway = gateway;
    this.#skewMs = 0;
    this.setClock();
  }

  /** Somebody sets the clock, not necessarily right. */
  setClock(): void {
    const { dice, faults } = this.#world;
    if (faults.has('clocksDiffer') || faults.has('clockMoves'))
      this.#skewMs = dice.between(-24 * HOUR_MS, 24 * HOUR_MS);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }
  get isOnline(): boolean {
    return this.#isOnline;
  }
  /** The newest that is open. */
  get openSockets(): Socket[] {
    return this.sockets.filter(({ isOpen }) => isOpen);
  }

  /** What the client SDK knows of the world. */
  environment(hasNetworkEvents: boolean): Environment {
    const world = this.#world;
    const connect = (url: string, protocols: readonly string[]) => {
      const socket = new Socket(world, this.#gateway, this.#tap, { url, protocols }, this.#isOnline);
      this.sockets.push(socket);
      return socket;
    };
    return {
      WebSocket: class {
        constructor(url: string, protocols: string[] = []) {
          // biome-ignore lint/correctness/noConstructorReturn: a socket that knows its device, behind the constructor that the SDK calls
          return connect(url, protocols);
        }
      } as unknown as Environment['WebSocket'],
      now: () => Math.floor(world.scheduler.nowMs + this.#skewMs),
      elapsedMs: () => world.scheduler.nowMs,
      random: () => world.dice.next(),
      setTimeout: (run, ms) =>
        world.after(ms, () => {
          if (this.#isAlive) run();
        }),
      clearTimeout: (cancel?: () => void) => cancel?.(),
      newId: () => world.dice.key(),
      network: hasNetworkEvents
        ? {
            addEventListener: (type, listener) => void this.#listeners[type].add(listener),
            removeEventListener: (type, listener) => void this.#listeners[type].delete(listener),
          }
        : undefined,
    };
  }

  /** Without a network nothing that it has open gets through, and nothing new can be opened. */
  setOnline(isOnline: boolean): void {
    if (this.#isOnline === isOnline) return;
    this.#isOnline = isOnline;
    this.#world.trace(isOnline ? 'online' : 'offline');
    if (!isOnline) for (const socket of this.sockets) socket.goesSilent();
    for (const listener of [...this.#listeners[isOnline ? 'online' : 'offline']]) listener();
  }

  /** The page is closed, or the process killed. What the network sees of it is a close, or nothing. */
  end(): void {
    this.#isAlive = false;
    const isSeen = this.#world.dice.chance(0.5);
    for (const socket of this.sockets) {
      socket.abandon();
      if (isSeen) socket.close();
      else socket.goesSilent();
    }
  }
}
