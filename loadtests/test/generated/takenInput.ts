import fc from 'fast-check';
import type { Schema } from './nastyInput.ts';

/**
 * Generates values of a schema of an OpenAPI document, often at the limits of what it accepts. Some break rules that the
 * document does not contain, such as rules across two fields, and the API has to refuse them.
 */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valuesOf));
  switch (schema.type) {
    case 'string':
      return textsOf(schema);
    case 'integer':
    case 'number':
      return wholeNumbersOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
    case 'object':
      return bodiesOf(schema);
    default:
      return fc.constant(null);
  }
}

function bodiesOf({ properties = {}, required = [] }: Schema): fc.Arbitrary<object> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [name, valuesOf(field)]),
  );
  return fc.record(fields, { requiredKeys: [...required] });
}

/**
 * Bodies like a valid one, with other values that the schema accepts: of each field in turn, then of several at once. Fields
 * chosen all at random would seldom fit together.
 */
export function bodiesLike(
  base: object,
  { properties = {} }: Schema,
  { ofEachField, ofSeveral, seed }: Amounts,
): object[] {
  const names = Object.keys(properties);
  const withFields = (changed: readonly string[]) =>
    fc
      .record(Object.fromEntries(changed.map((name) => [name, valuesOf(properties[name] ?? {})])))
      .map((changes) => ({ ...base, ...changes }));
  const withOneChange = names.flatMap((name) =>
    fc.sample(withFields([name]), { numRuns: ofEachField, seed }),
  );
  const severalChanges = fc.subarray(names, { maxLength: Math.min(3, names.length) }).chain(withFields);
  return [...withOneChange, ...fc.sample(severalChanges, { numRuns: ofSeveral, seed })];
}
/** The number of bodies with another value of each field, and of those with several other values. */
export type Amounts = { ofEachField: number; ofSeveral: number; seed: number };

const LEAST_AND_MOST = ['0001', '1970', '1999', '2199', '2200', '9999'];
const INSTANTS = [
  ...['0000', ...LEAST_AND_MOST].map((year) => `${year}-01-01T00:00:00Z`),
  ...LEAST_AND_MOST.map((year) => `${year}-12-31T23:59:59.999999999Z`),
];

function textsOf({ format, pattern, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time') {
    const now = Date.now();
    const near = fc.integer({ min: 1, max: 80 * 86_400 }).map((s) => new Date(now + s * 1_000).toISOString());
    return fc.oneof(fc.constantFrom(...INSTANTS), near);
  }
  if (format === 'date')
    return fc.constantFrom('0000-01-01', '1900-01-01', '2000-02-29', '2199-12-31', '9999-12-31');
  // Text that people write, with any characters.
  const free = fc.string({ unit: 'binary', minLength: 1, maxLength: Math.min(maxLength, 40) });
  const long = fc.constantFrom(
    'é'.repeat(maxLength),
    '💥'.repeat(maxLength >> 1),
    'A\0B',
    '\ud800',
    '"\\{},NULL',
  );
  const isSimple = pattern !== undefined && !pattern.includes('\\p{');
  if (!isSimple) return fc.oneof(free, long);
  // The look-aheads are left out, so the API has to refuse what they forbid.
  return fc.oneof(fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?!.*?\)/g, ''))), long);
}

function wholeNumbersOf({ minimum = 0, maximum = 1_000 }: Schema): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(minimum, maximum), fc.integer({ min: minimum, max: maximum }));
}
