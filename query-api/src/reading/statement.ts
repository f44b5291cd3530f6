import type { QueryConfig } from 'pg';

/**
 * Builds a statement from the conditions that a request sets. Values are always parameters. Every set of conditions is a
 * prepared statement of its own, so that PostgreSQL plans each for the index that serves it.
 */
export function statement(options: {
  name: string;
  select: string;
  conditions: readonly Condition[];
  orderBy: string;
  limit: number;
}): QueryConfig {
  const conditions = options.conditions.filter(({ value }) => value !== undefined);
  const where = conditions.map(({ sql }, i) => sql.replaceAll('?', `$${i + 1}`)).join(' and ');
  return {
    name: [options.name, ...conditions.map(({ name }) => name)].join('_'),
    text: `${options.select}${where && ` where ${where}`} order by ${options.orderBy} limit $${conditions.length + 1}`,
    values: [...conditions.map(({ value }) => value), options.limit],
  };
}

/**
 * A condition without a value is left out. `?` in `sql` stands for the value. Names are short: together they name the prepared
 * statement, which has 63 characters at most.
 */
export type Condition = { name: string; sql: string; value: unknown };
