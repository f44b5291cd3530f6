-- The last commit up to the position: in a store that was put back to an earlier state the position alone says nothing.
-- Null: kept by an older version. What it rests on is not known, so it is as if it were not there.
alter table state.snapshot add column landmark_position bigint;
alter table state.snapshot add column landmark_commit uuid;
