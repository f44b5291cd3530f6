-- Large states are kept in pieces beside their row, and go with it.
alter table state.snapshot add column parts integer not null default 0;

create table state.snapshot_part (
  kind text not null,
  version integer not null,
  key text not null,
  store_id uuid not null,
  position bigint not null,
  part integer not null,
  bytes bytea not null,
  primary key (kind, version, key, store_id, position, part),
  foreign key (kind, version, key, store_id, position) references state.snapshot on delete cascade
);

-- Packed numbers: to compress them costs more than it saves.
alter table state.snapshot_part alter column bytes set storage external;
