-- What was kept is checked when it is loaded: one that is damaged is rebuilt, never trusted. Null: kept by an older
-- version, which has none.
alter table state.snapshot add column checksum bigint;
alter table state.snapshot_part add column checksum bigint;
