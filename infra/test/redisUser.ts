import { randomUUID } from 'node:crypto';
import { redisHotStore } from '../src/hotStore/hotStore.redis.ts';
import { realRuntime as runtime } from '../src/runtime/runtime.ts';

/** Writes to the Redis that it is given the address of, and says whether it was done. */
const [url = ''] = process.argv.slice(2);
const hotStore = await redisHotStore({ url, storeId: randomUUID(), runtime });
const to = { storeId: randomUUID(), position: 1 };
process.stdout.write(await hotStore.view('depth', 1).write({ from: null, to, set: new Map([['A', '1']]) }));
await hotStore.close();
