import { type ChildProcess, spawn } from 'node:child_process';
import { PlaceOrder } from '@brokerx/contracts';
import fastify from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';

/**
 * The yardstick: a web server that validates the same body in the same way, answers the same bytes, and does nothing
 * else; to a GET it answers those bytes at once. What it reaches on this machine with this generator is the limit that no order can pass.
 */
export type BareEndpoint = { url: string; pid: number; stop(): Promise<void> };

export async function startBareEndpoint(): Promise<BareEndpoint> {
  const child = spawn(process.execPath, [import.meta.filename], { stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the bare endpoint ended with ${code}`)));
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
  });
  return { url, pid: child.pid as number, stop: () => stop(child) };
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

const REPLY = {
  id: '01900000-0000-7000-8000-000000000000',
  client_order_id: null,
  account_id: '01900000-0000-7000-8000-000000000000',
  symbol: 'BENCH1',
  side: 'buy',
  type: 'limit',
  time_in_force: 'day',
  qty: '10',
  limit_price: '100.00',
  protection_price: null,
  status: 'pending_new',
  filled_qty: '0',
  leaves_qty: '10',
  filled_avg_price: null,
  fees: '0.00',
  reason: null,
  created_at: '2026-01-05T14:00:00.000Z',
  updated_at: '2026-01-05T14:00:00.000Z',
};

async function serve(): Promise<void> {
  const app = fastify().withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.post('/v1/orders', { schema: { body: PlaceOrder } }, (request, reply) =>
    reply.code(202).send({ ...REPLY, symbol: request.body.symbol, qty: request.body.qty }),
  );
  app.get('/*', (_, reply) => reply.send(REPLY));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  process.stdout.write(`${url}\n`);
  // It ends with the process that started it, however that one ended.
  process.stdin.on('end', () => process.exit(0)).resume();
  process.on('SIGTERM', () => process.exit(0));
}

if (import.meta.main) await serve();
