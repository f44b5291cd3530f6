-- The last commit that the tables rest on, of those up to the position: in a store that was put back to an earlier state, as in
-- read models that were put back by themselves, the position alone says nothing.
alter table read.projection add column landmark_position bigint;
alter table read.projection add column landmark_commit uuid;
-- What an older version wrote does not say it. It is believed once, as that version believed it: -1.
update read.projection set landmark_position = -1 where position > 0;
