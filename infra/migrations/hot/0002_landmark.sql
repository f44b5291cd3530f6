-- The last event that a view rests on: in a store that was put back to an earlier state the position alone says nothing.
alter table hot.view add column landmark_position bigint;
alter table hot.view add column landmark_commit text;

-- As before, with the landmark of the new place. A view that a process without landmarks moves has none that fits.
create function hot.write(
  view_name text,
  view_version integer,
  from_store uuid,                 -- null: the view is empty
  from_position bigint,
  from_landmark text,              -- the commit's id; null: none
  to_store uuid,
  to_position bigint,
  to_landmark_position bigint,
  to_landmark text,
  set_keys text[],
  set_values text[],
  remove_keys text[]
) returns boolean language plpgsql as $$
begin
  if from_store is not null then
    perform from hot.view v
      where v.name = view_name and v.version = view_version
        and v.landmark_commit is not distinct from from_landmark
      for update;
    if not found then
      return false;
    end if;
  end if;
  if not hot.write(
    view_name, view_version, from_store, from_position, to_store, to_position, set_keys, set_values, remove_keys
  ) then
    return false;
  end if;
  update hot.view v set landmark_position = to_landmark_position, landmark_commit = to_landmark
   where v.name = view_name and v.version = view_version;
  return true;
end $$;
