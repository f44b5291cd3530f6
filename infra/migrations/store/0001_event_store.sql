create schema store;

-- One row: the identity of this store, and the lock that puts appends in order. It is locked, never updated.
create table store.head (
  only_row boolean primary key default true check (only_row),
  store_id uuid not null default gen_random_uuid()
);
insert into store.head default values;

-- A row is a commit: the events of one append to one stream. No row is ever updated, so no dead versions arise
-- and a long-running reader costs an appender nothing.
create table store.commit (
  last_position bigint primary key,
  stream text not null,
  revision bigint not null,        -- of its first event
  events integer not null check (events > 0),
  commit_id uuid not null,
  symbol text,                     -- the engine that takes it as input
  body text not null,              -- JSON array of the events
  unique (stream, revision) include (events, commit_id)
) with (
  -- Rows are only added: visit them early, so that index-only scans stay index-only.
  autovacuum_vacuum_insert_scale_factor = 0.02
);

-- Compressing a long text, an engine's run, costs more than all else that is done with it.
alter table store.commit alter column body set storage external;

-- Engine inputs are a fraction of all commits and are read by themselves.
create index commit_symbol on store.commit (symbol, last_position) where symbol is not null;

create function store.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the event store only grows: % on %.% is refused', tg_op, tg_table_schema, tg_table_name;
end $$;

create trigger only_grows before update or delete or truncate on store.commit
  for each statement execute function store.refuse_change();
create trigger only_one before insert or update or delete or truncate on store.head
  for each statement execute function store.refuse_change();

-- Appends commits in order and gives a verdict for each: o(k), d(uplicate), c(onflict), b(roken chain).
-- The lists arrive as text, parted by the ASCII record separator, which JSON text cannot contain: PostgreSQL
-- splits them faster than it parses an array literal.
-- `previous[i]` is the index of the commit before the i-th one on the same stream in this call, or 0.
-- `positions` are those of the last events of o and d; `actuals` the revisions of the streams after each commit.
create function store.append(
  in stream_list text,
  in expected bigint[],
  in chained boolean[],
  in previous integer[],
  in counts integer[],
  in commit_ids uuid[],
  in symbol_list text,
  in body_list text,
  out verdicts text,
  out actuals text,
  out positions text
) language plpgsql as $$
declare
  separator constant text := chr(30);
  streams constant text[] := string_to_array(stream_list, separator);
  total constant integer := cardinality(expected);
  head bigint;
  next_position bigint;
  verdict "char"[] := array_fill('o'::"char", array[total]);
  place bigint[] := array_fill(null::bigint, array[total]);
  actual bigint[];
  before integer;
  at integer;
  found_count integer;
  found_id uuid;
  found_position bigint;
begin
  -- Under another level the statements below would not see what the lock waited for.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'store.append needs read committed, not %', current_setting('transaction_isolation');
  end if;
  -- A statement of its own: every later one sees all that was committed before the lock was given.
  perform 1 from store.head for update;
  head := coalesce((select max(c.last_position) from store.commit c), 0);
  next_position := head;

  -- One statement for all streams. Sub-selects, because a join would be planned as if the table were small.
  actual := array(
    select case when n.previous = 0 then coalesce(
             (select c.revision + c.events - 1 from store.commit c
               where c.stream = n.stream order by c.revision desc limit 1), -1) end
      from unnest(streams, previous) with ordinality as n (stream, previous, i)
     order by n.i);

  for i in 1 .. total loop
    before := previous[i];
    if before > 0 then
      actual[i] := actual[before];
      if chained[i] and verdict[before] in ('c', 'b') then
        verdict[i] := 'b';
        continue;
      end if;
    end if;

    if actual[i] = expected[i] then
      next_position := next_position + counts[i];
      place[i] := next_position;
      actual[i] := expected[i] + counts[i];
      continue;
    end if;

    -- A retry is known by its place and id: first among the commits of this very call, then among the stored.
    found_id := null;
    at := before;
    while at > 0 loop
      if verdict[at] = 'o' and expected[at] = expected[i] then
        found_id := commit_ids[at];
        found_count := counts[at];
        found_position := place[at];
        exit;
      end if;
      at := previous[at];
    end loop;
    if found_id is null then
      select c.commit_id, c.events, c.last_position into found_id, found_count, found_position
        from store.commit c where c.stream = streams[i] and c.revision = expected[i] + 1;
    end if;
    if found_id = commit_ids[i] and found_count = counts[i] then
      verdict[i] := 'd';
      place[i] := found_position;
    else
      verdict[i] := 'c';
    end if;
  end loop;

  if next_position > head then
    insert into store.commit (last_position, stream, revision, events, commit_id, symbol, body)
      select n.place, n.stream, n.expected + 1, n.events, n.commit_id, n.symbol, n.body
        from unnest(verdict, place, streams, expected, counts, commit_ids,
                    string_to_array(symbol_list, separator, ''), string_to_array(body_list, separator))
          as n (verdict, place, stream, expected, events, commit_id, symbol, body)
       where n.verdict = 'o';
    -- One for the whole call: notifications serialise commits across the server.
    perform pg_notify('brokerx_store', next_position::text);
  end if;

  verdicts := array_to_string(verdict, '');
  actuals := array_to_string(actual, ',');
  positions := array_to_string(place, ',', '');
end $$;
