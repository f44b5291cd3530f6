import type { QueryConfig } from 'pg';

/**
 * Builds one statement from the conditions that a request gives. Values are always parameters; every set of
 * conditions is a prepared statement of its own, so that each is planned for the index that serves it.
 */
export function statement(options: {
  name: string;
  select: string;
  conditions: readonly Condition[];
  orderBy: string;
  limit: number;
}): QueryConfig {
  const given = options.conditions.filter(({ value }) => value !== undefined);
  const where = given.map(({ sql }, i) => sql.replaceAll('?', `$${i + 1}`)).join(' and ');
  return {
    name: [options.name, ...given.map(({ name }) => name)].join('_'),
    text: `${options.select}${where && ` where ${where}`} order by ${options.orderBy} limit $${given.length + 1}`,
    values: [...given.map(({ value }) => value), options.limit],
  };
}

/** Left out where its value is undefined; `?` in the text is the value's place. Short names: they end in a key of 63. */
export type Condition = { name: string; sql: string; value: unknown };
