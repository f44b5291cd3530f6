import assert from 'node:assert/strict';

/**
 * Packs an object whose fields are known by name and order into items of an array: a number that says which of its optional
 * fields it has (the first one is 1, then 2, 4, …), and its values. Unpacked, it has the same fields in the same order.
 */
export type RecordForm = {
  /** Adds the items. False for an object with other fields, or in another order: then the array is of no use. */
  pack(record: Readonly<Record<string, unknown>>, items: unknown[]): boolean;
  /** The object whose items begin at the index `from`. */
  unpack(items: readonly unknown[], from: number): Record<string, unknown>;
};

type Field = {
  name: string;
  /** The bit that says whether an optional field is there; 0: it always is. */
  bit: number;
  within: RecordForm | null;
};
type Unpack = (
  items: readonly unknown[],
  from: number,
  within: readonly (RecordForm | null)[],
) => Record<string, unknown>;

/** Bits of a number that JavaScript's operators work on. */
const OPTIONAL_FIELDS_MAX = 30;

/** The form of the fields in this text: `name`, `name?` when it may be absent, `name{…}` for an object within. */
export function recordForm(text: string): RecordForm {
  const fields = parse(text);
  const within = fields.map((field) => field.within);
  const everyBit = fields.reduce((bits, { bit }) => bits | bit, 0);
  // By the optional fields that are there; only combinations that were once written occur.
  const unpackers = new Map<number, Unpack>();
  return {
    pack: (record, items) => packFields(fields, record, items),
    unpack(items, from) {
      const bits = items[from] as number;
      let unpack = unpackers.get(bits);
      if (!unpack) {
        assert((bits & ~everyBit) === 0, `fields that this version does not know are stored here: ${text}`);
        unpack = unpacker(fields, bits);
        unpackers.set(bits, unpack);
      }
      return unpack(items, from, within);
    },
  };
}

function packFields(
  fields: readonly Field[],
  record: Readonly<Record<string, unknown>>,
  items: unknown[],
): boolean {
  const begin = items.push(0) - 1;
  let bits = 0;
  let at = 0;
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (value === undefined) continue;
    let field = fields[at];
    while (field !== undefined && field.name !== name && field.bit !== 0) field = fields[++at];
    if (field?.name !== name) return false;
    at += 1;
    bits |= field.bit;
    if (field.within === null || value === null) {
      items.push(value);
    } else {
      const part: unknown[] = [];
      if (!field.within.pack(value as Record<string, unknown>, part)) return false;
      items.push(part);
    }
  }
  for (; at < fields.length; at++) if (fields[at]?.bit === 0) return false;
  items[begin] = bits;
  return true;
}

/**
 * A function made of text, which makes the object as a literal does: ten times as fast as setting one field after the other.
 * The text holds names from this program's own lists and nothing else.
 */
function unpacker(fields: readonly Field[], bits: number): Unpack {
  const present = fields
    .map((field, index) => ({ ...field, index }))
    .filter(({ bit }) => (bits & bit) === bit);
  const parts = present.map(({ name, within, index }, i) => {
    const item = `items[from + ${i + 1}]`;
    return `${name}: ${within ? `${item} === null ? null : within[${index}].unpack(${item}, 0)` : item}`;
  });
  return new Function('items', 'from', 'within', `return { ${parts.join(', ')} };`) as Unpack;
}

function parse(text: string): Field[] {
  const tokens: string[] = text.match(/[\w?]+|[{}]/g) ?? [];
  let bit = 1;
  const take = (): Field => {
    const token = tokens.shift() ?? '';
    const [, name = '', optional = ''] = /^([a-zA-Z]+)(\??)$/.exec(token) ?? [];
    assert(name !== '', `no name of a field: ${token}`);
    const field: Field = { name, bit: optional === '' ? 0 : bit, within: null };
    if (optional !== '') bit *= 2;
    if (tokens[0] === '{') {
      const end = tokens.indexOf('}');
      field.within = recordForm(tokens.slice(1, end).join(' '));
      tokens.splice(0, end + 1);
    }
    return field;
  };
  const fields: Field[] = [];
  while (tokens.length > 0) fields.push(take());
  assert(
    fields.filter((field) => field.bit !== 0).length <= OPTIONAL_FIELDS_MAX,
    `${text}: too many to choose`,
  );
  return fields;
}
