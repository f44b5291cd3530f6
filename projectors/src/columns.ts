/**
 * Columns of rows as PostgreSQL array literals, for `insert … select * from unnest(…)`: one parameter a column,
 * whatever the number of rows. Built here because the client's own conversion of arrays costs several times
 * as much, and these are most of what the projectors send.
 */
export function column(values: readonly (string | number | boolean | null)[]): string {
  let text = '{';
  let separator = '';
  for (const value of values) {
    text += separator;
    separator = ',';
    // Quoted even where it need not be: unquoted, the symbol NULL would mean the absence of one.
    text += typeof value === 'string' ? `"${escaped(value)}"` : value;
  }
  return `${text}}`;
}

/** The columns of rows, in the order of `cells`. */
export function columns<Row>(
  rows: readonly Row[],
  cells: readonly ((row: Row) => string | number | boolean | null)[],
): string[] {
  return cells.map((cell) => column(rows.map(cell)));
}

const SPECIAL = /["\\]/g;
const escaped = (text: string): string =>
  text.includes('"') || text.includes('\\') ? text.replace(SPECIAL, '\\$&') : text;
