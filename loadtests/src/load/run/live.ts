import type { Percentiles } from '../generator/histograms.ts';
import type { Point } from './collector.ts';
import type { Sample } from './watching.ts';

/** What goes on, on the terminal: one picture that is painted again and again, or a line every few seconds where it is none. */
export type Live = {
  point(point: Point): void;
  sample(sample: Sample): void;
  /** Leaves the last picture as it is. */
  end(): void;
};
export type Screen = {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
};

const LINE_EVERY_MS = 5_000;
const SPARKS = ' ▁▂▃▄▅▆▇█';
const SHOWN_POINTS = 60;

export function live(screen: Screen, { title, seconds }: { title: string; seconds: number }): Live {
  const points: Point[] = [];
  let sample: Sample | undefined;
  let painted = 0;
  let lastLineMs = 0;

  const paint = () => {
    const lines = picture(title, seconds, points, sample).map((line) => line.slice(0, screen.columns ?? 120));
    const up = painted > 0 ? `\x1b[${painted}A` : '';
    screen.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    painted = lines.length;
  };
  return {
    point(point) {
      points.push(point);
      if (points.length > SHOWN_POINTS) points.shift();
      if (screen.isTTY) paint();
      else if (performance.now() - lastLineMs >= LINE_EVERY_MS) {
        lastLineMs = performance.now();
        screen.write(`${line(point, sample)}\n`);
      }
    },
    sample(taken) {
      sample = taken;
    },
    end: () => undefined,
  };
}

function picture(
  title: string,
  seconds: number,
  points: readonly Point[],
  sample: Sample | undefined,
): string[] {
  const point = points.at(-1);
  if (!point) return [title];
  const rates = points.map(okPerSecond);
  const p95 = points.map(({ latency }) => latency.p95);
  return [
    `${title}   ${Math.round(point.second)} of ${seconds} s`,
    `  answered/s ${padded(okPerSecond(point))}  ${sparks(rates)}`,
    `  p95 ms     ${padded(point.latency.p95)}  ${sparks(p95)}`,
    `  ${latencies(point.latency)}`,
    `  refused/s ${Math.round(point.refusedPerSecond)}  errors/s ${Math.round(point.errorsPerSecond)}  in flight ${point.inFlight}  waiting ${point.waiting}  users ${point.users}`,
    `  behind: ${behind(sample)}`,
    `  cores: ${cores(sample)}`,
  ];
}

const line = (point: Point, sample: Sample | undefined): string =>
  `${String(Math.round(point.second)).padStart(5)} s  ${Math.round(okPerSecond(point))}/s  ${latencies(point.latency)}  refused ${Math.round(point.refusedPerSecond)}/s  errors ${Math.round(point.errorsPerSecond)}/s  behind: ${behind(sample)}`;

const okPerSecond = ({ actions }: Point): number =>
  Object.values(actions).reduce((sum, { okPerSecond: each }) => sum + each, 0);
const latencies = ({ p50, p95, p99 }: Percentiles) => `p50 ${p50}  p95 ${p95}  p99 ${p99} ms`;
const padded = (value: number) => String(Math.round(value)).padStart(7);
const behind = (sample: Sample | undefined) =>
  Object.entries(sample?.lag ?? {})
    .map(([stage, events]) => `${stage} ${events}`)
    .join(', ') || 'not told';
const cores = (sample: Sample | undefined) =>
  Object.entries(sample?.cores ?? {})
    .map(([name, used]) => `${name} ${used.toFixed(2)}`)
    .join(', ') || 'not told';

function sparks(values: readonly number[]): string {
  const top = Math.max(1, ...values);
  return values.map((value) => SPARKS[Math.round((value / top) * (SPARKS.length - 1))]).join('');
}
