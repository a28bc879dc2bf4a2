import { percentile } from '../bench.ts';
import { BODY_BYTES, connectionIds, type Order, type Report, type Target } from './message.ts';
import { type PostOne, VARIANTS, type Variant } from './variants.ts';

/** One variant in a process of its own: `node client.ts <variant> <target as JSON>`. */
const [, , variant, target] = process.argv;

const ids = connectionIds(1_000);
const frame = new TextEncoder().encode('x'.repeat(BODY_BYTES));

async function run(post: PostOne, { posts, inFlight }: Order): Promise<Report> {
  const times = new Float64Array(posts);
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < posts) {
      const n = next++;
      const id = ids[n % ids.length] as string; // within its length
      const startedAt = performance.now();
      await post(id, frame);
      times[n] = performance.now() - startedAt;
    }
  };
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: Math.min(inFlight, posts) }, one));
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  const [p50Ms, p99Ms] = [percentile([...times], 0.5), percentile([...times], 0.99)];
  return { posts, wallMs, processorMs: (user + system) / 1_000, p50Ms, p99Ms };
}

const post = await VARIANTS[variant as Variant](JSON.parse(target as string) as Target);
process.on('message', (order: Order) => void run(post, order).then((report) => process.send?.(report)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
