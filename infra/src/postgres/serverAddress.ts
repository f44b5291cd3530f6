/** How a PostgreSQL is named where one is told of it: no user and no password. */
export function serverOf(databaseUrl: string): string {
  const url = URL.parse(databaseUrl);
  return url?.host ? url.host : 'DATABASE_URL';
}
