import type { Row } from '../../cli/report.ts';

/** A line of the table of all benchmarks: a figure, and the limit that was measured beside it in the same run. */
export type Line = {
  what: string;
  figure: number;
  unit: string;
  limit: { what: string; figure: number } | null;
};

/** What a benchmark prints as its last line with `--json`. */
export type Figures = Readonly<Record<string, unknown>>;

/** The number at a path of field names and indexes; throws where there is none, so that no line is made of nothing. */
export function numberAt(figures: Figures, path: string): number {
  let found: unknown = figures;
  for (const name of path.split('.')) {
    found = typeof found === 'object' && found !== null ? (found as Figures)[name] : undefined;
  }
  if (typeof found !== 'number') throw new Error(`the benchmark tells no number at ${path}`);
  return found;
}

export const TABLE_HEAD = ['what', 'figure', 'unit', 'beside it, in the same run', 'its figure', 'ratio'];

export const rowOf = ({ what, figure, unit, limit }: Line): Row =>
  limit === null
    ? [what, figure, unit, '', '', '']
    : [what, figure, unit, limit.what, limit.figure, ratio(figure, limit.figure)];

/** Three digits say enough of figures from a shared machine. */
const ratio = (figure: number, limit: number): number =>
  limit === 0 ? 0 : Number((figure / limit).toPrecision(3));
