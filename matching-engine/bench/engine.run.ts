import { readFileSync } from 'node:fs';
import type { ContenderName } from './contenders.ts';
import { ROW } from './flows.ts';
import { measure } from './measure.ts';

/** One run of `bench:engine`, in a process of its own: contender, flow, its rows' file, build, seed, milliseconds. */
const [name, flow, file, build, seed, forMs] = process.argv.slice(2);
const bytes = readFileSync(file as string);
const rows = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
if (rows.length % ROW !== 0) throw new Error(`${file} is no flow`);
const figures = await measure(
  name as ContenderName,
  { name: flow as 'recorded' | 'deep', rows, build: Number(build) },
  Number(seed),
  Number(forMs),
);
process.stdout.write(`${JSON.stringify(figures)}\n`);
