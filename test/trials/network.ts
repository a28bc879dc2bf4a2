import { WebSocket } from 'ws';

/** The way from one client to the server: it can be cut, and stays cut for as long as one likes. */
export class Network {
  /** For the client's options. */
  readonly WebSocket: new (
    url: string,
    protocols?: string[],
  ) => WebSocket;
  /** Connections made so far. */
  connections = 0;
  readonly #sockets = new Set<WebSocket>();
  readonly #sent = new Map<string, number>();
  #isCut = false;

  constructor() {
    const network = this;
    this.WebSocket = class extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        network.#watch(this);
      }

      override send(data: string): void {
        network.#count(data);
        super.send(data);
      }
    };
  }

  /** How many commands of an action went out. */
  sentOf(action: string): number {
    return this.#sent.get(action) ?? 0;
  }

  /** Ends every connection as a lost one ends, and refuses new ones until it is mended. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.terminate();
  }

  mend(): void {
    this.#isCut = false;
  }

  #count(frame: string): void {
    const { action } = JSON.parse(frame);
    this.#sent.set(action, this.sentOf(action) + 1);
  }

  #watch(socket: WebSocket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('error', () => {}); // the client hears of it
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.#isCut) socket.terminate();
  }
}
