create schema hot;

-- Unlogged: no write goes to the journal, and a crash empties both tables together.
create unlogged table hot.view (
  name text not null,
  version integer not null,
  store_id uuid not null,
  position bigint not null,
  primary key (name, version)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

create unlogged table hot.value (
  name text not null,
  version integer not null,
  key text not null,
  value text not null,
  primary key (name, version, key)
) with (
  -- Room for the next version of a row on its own page: no index entry, and the page cleans itself.
  fillfactor = 50, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.05
);

-- Moves the view's cursor from one place to the next and changes its values, or does nothing: false.
create function hot.write(
  view_name text,
  view_version integer,
  from_store uuid,                 -- null: the view is empty
  from_position bigint,
  to_store uuid,
  to_position bigint,
  set_keys text[],
  set_values text[],
  remove_keys text[]
) returns boolean language plpgsql as $$
begin
  if from_store is null then
    insert into hot.view (name, version, store_id, position)
      values (view_name, view_version, to_store, to_position)
      on conflict do nothing;
  else
    update hot.view v set store_id = to_store, position = to_position
     where v.name = view_name and v.version = view_version
       and v.store_id = from_store and v.position = from_position;
  end if;
  if not found then
    return false;
  end if;
  delete from hot.value x
   where x.name = view_name and x.version = view_version and x.key = any (remove_keys);
  insert into hot.value as x (name, version, key, value)
    select view_name, view_version, n.key, n.value from unnest(set_keys, set_values) as n (key, value)
    on conflict (name, version, key) do update set value = excluded.value where x.value <> excluded.value;
  perform pg_notify('brokerx_hot', json_build_array(view_name, view_version, to_position)::text);
  return true;
end $$;
