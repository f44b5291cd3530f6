/**
 * Columns of rows as PostgreSQL array literals, for `insert … select * from unnest(…)`: one parameter a column,
 * whatever the number of rows. Built here because the client's own conversion of arrays costs several times
 * as much, and these are most of what the projectors send.
 */
export function columns<Row>(rows: readonly Row[], cells: readonly ((row: Row) => Cell)[]): string[] {
  return cells.map((cell) => {
    let text = '{';
    for (let n = 0; n < rows.length; n++) text += (n === 0 ? '' : ',') + literal(cell(rows[n] as Row));
    return `${text}}`;
  });
}

export type Cell = string | number | boolean | null;

/** One column of values. */
export const column = (values: readonly Cell[]): string => `{${values.map(literal).join(',')}}`;

/**
 * A time, where PostgreSQL has it. Older versions stored times of year 0, which is none there: what such a time says is
 * left out.
 */
export const instantOrNull = (time: string | null): Cell =>
  time !== null && WRITABLE.test(time) ? time : null;
const WRITABLE = /^(?!0000)\d{4}-/;

// Quoted even where it need not be: unquoted, the symbol NULL would mean the absence of one.
const literal = (value: Cell): string => (typeof value === 'string' ? `"${escaped(value)}"` : String(value));

/** Older versions stored texts with NUL, which PostgreSQL cannot hold: it is seen that something was there. */
const NUL = /\0/g;
const REPLACEMENT = '\ufffd';
const SPECIAL = /["\\]/g;
const escaped = (text: string): string => {
  const writable = text.includes('\0') ? text.replace(NUL, REPLACEMENT) : text;
  return writable.includes('"') || writable.includes('\\') ? writable.replace(SPECIAL, '\\$&') : writable;
};
