import { createRequire } from 'node:module';

/**
 * Before dynalite is loaded: it keeps what is in memory as texts, not as Buffers. Those are slices of Node's pool, and a
 * key of fifty bytes would keep all the 64 KB of its slice from being freed.
 */
const memory: { MemoryLevel: new (options: object) => object } = createRequire(import.meta.url)(
  'memory-level',
);
memory.MemoryLevel = class extends memory.MemoryLevel {
  constructor(options: object) {
    super({ ...options, storeEncoding: 'utf8' });
  }
};
