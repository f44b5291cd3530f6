create schema state;

-- States kept so that nobody folds from the beginning of time; the two newest of each key.
create table state.snapshot (
  kind text not null,
  version integer not null,
  key text not null,
  store_id uuid not null,          -- whose positions these are
  position bigint not null,
  revision bigint not null,
  state text not null,             -- JSON
  saved_at timestamptz not null default clock_timestamp(),
  primary key (kind, version, key, store_id, position)
);

-- Who has a single-owner role. The row stays when the lease is released: its epoch only grows.
create table state.lease (
  name text primary key,
  owner text,                      -- null: free
  epoch bigint not null,
  expires_at timestamptz not null
);
