/** The package types only its entry, which drags all of fetch and WebSocket into a bundle. */
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';

  export default Client;
}
