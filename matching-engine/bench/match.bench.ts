import { workload } from '../sim/workload.ts';
import { apply, newEngine, type PlacedInput } from '../src/engine.ts';

/** How many inputs a second one thread applies: `node matching-engine/bench/match.bench.ts`. Input is made before. */
const INPUTS = 300_000;
const RUNS = 5;

const inputs: PlacedInput[] = [...workload(1, 'BENCH').take(INPUTS)];
for (let run = 1; run <= RUNS; run++) {
  const engine = newEngine('BENCH');
  let outputs = 0;
  const begin = performance.now();
  for (const input of inputs) outputs += apply(engine, input).length;
  const seconds = (performance.now() - begin) / 1_000;
  const rate = Math.round(INPUTS / seconds);
  const figures = {
    run,
    inputsPerSecond: rate,
    outputs,
    trades: engine.trades,
    open: engine.book.orders.size,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
