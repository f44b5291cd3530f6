/**
 * Turns rows into PostgreSQL array literals, one for each column, for `insert … select * from unnest(…)`: so a statement has one
 * parameter a column, whatever the number of rows. They are most of what the projectors send, and the client's own conversion of
 * arrays takes several times as long.
 */
export function columns<Row>(rows: readonly Row[], cells: readonly ((row: Row) => Cell)[]): string[] {
  return cells.map((cell) => {
    let text = '{';
    for (let n = 0; n < rows.length; n++) text += (n === 0 ? '' : ',') + literal(cell(rows[n] as Row));
    return `${text}}`;
  });
}

export type Cell = string | number | boolean | null;

/** One column as an array literal. */
export const column = (values: readonly Cell[]): string => `{${values.map(literal).join(',')}}`;

/** A time that PostgreSQL can store, else null: older versions stored times of year 0, which PostgreSQL does not have. */
export const instantOrNull = (time: string | null): Cell =>
  time !== null && WRITABLE.test(time) ? time : null;
const WRITABLE = /^(?!0000)\d{4}-/;

// Every text is quoted: without quotes the symbol NULL would mean null.
const literal = (value: Cell): string => (typeof value === 'string' ? `"${escaped(value)}"` : String(value));

/** Older versions stored texts with NUL, which PostgreSQL cannot store: a replacement character shows its place. */
const NUL = /\0/g;
const REPLACEMENT = '\ufffd';
const SPECIAL = /["\\]/g;
const escaped = (text: string): string => {
  const writable = text.includes('\0') ? text.replace(NUL, REPLACEMENT) : text;
  return writable.includes('"') || writable.includes('\\') ? writable.replace(SPECIAL, '\\$&') : writable;
};
