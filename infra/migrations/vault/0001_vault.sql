create schema vault;

-- One key a client, wrapped by the master key. Destroying it erases the client's personal fields everywhere they
-- were ever written, backups of other databases included; the row stays, so that "erased" is known from "unknown".
create table vault.client_key (
  key_id uuid primary key,
  client_id uuid not null unique,
  wrapped bytea,
  created_at timestamptz not null default clock_timestamp(),
  destroyed_at timestamptz,
  check ((wrapped is null) = (destroyed_at is not null))
);
