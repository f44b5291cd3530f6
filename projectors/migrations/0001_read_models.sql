-- Read models. A physical table carries its projection's version; queries read the view without it, so that a
-- newer version can be built beside the live one and switched to in one transaction. Nothing here is precious:
-- every row follows from the event store.
create schema read;

-- Where each projection stands: moved in the same transaction as its rows, by compare-and-set.
create table read.projection (
  name text not null,
  version integer not null,
  status text not null check (status in ('building', 'live', 'retired')),
  store_id uuid not null,
  position bigint not null check (position >= 0),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (name, version)
) with (fillfactor = 10);  -- A handful of rows, updated some twenty times a second each: room to do it in place.

-- Events that a projection could not fold, left out so that the others go on. Each is a defect to be looked at.
create table read.parked (
  projection text not null,
  version integer not null,
  position bigint not null,
  event_id uuid not null,
  error text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (projection, version, position)
);

create table read.wallet_v1 (
  account_id uuid primary key,
  client_id uuid,                    -- null only until the account's opening is seen
  cash_cents bigint not null,        -- what is held included
  held_cents bigint not null
) with (fillfactor = 50);
create view read.wallet as select * from read.wallet_v1;

-- One row is one balanced journal entry: an account event that moves cash or shares between these books.
create table read.ledger_v1 (
  position bigint primary key,
  event_id uuid not null,
  account_id uuid not null,
  kind text not null,                -- the event's type without its version
  order_id uuid,
  symbol text,
  cash_available bigint not null,
  cash_held bigint not null,
  cash_clearing bigint not null,
  cash_fees bigint not null,
  cash_outside bigint not null,
  shares_available bigint not null,
  shares_held bigint not null,
  shares_clearing bigint not null,
  shares_outside bigint not null,
  created_at timestamptz not null,
  constraint cash_balances
    check (cash_available + cash_held + cash_clearing + cash_fees + cash_outside = 0),
  constraint shares_balance
    check (shares_available + shares_held + shares_clearing + shares_outside = 0)
);
create index ledger_v1_account on read.ledger_v1 (account_id, position desc);
create view read.ledger as select * from read.ledger_v1;

create table read.holding_v1 (
  account_id uuid not null,
  symbol text not null,
  shares bigint not null,            -- what is held included
  held_shares bigint not null,
  primary key (account_id, symbol)
) with (fillfactor = 50);
create view read.holding as select * from read.holding_v1;

create table read.orders_v1 (
  order_id uuid primary key,
  client_order_id text,
  account_id uuid not null,
  symbol text not null,
  side text not null,
  type text not null,
  time_in_force text not null,
  quantity bigint not null,
  limit_cents bigint,                -- null for a market order
  protection_cents bigint,           -- null for any other
  status text not null,
  filled_quantity bigint not null,
  filled_value_cents bigint not null,
  fees_cents bigint not null,
  leaves_quantity bigint not null,
  reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  position bigint not null,          -- of its first event
  event_positions bigint[] not null, -- the oldest ones and the last
  -- What the status is worked out from, besides what stands above.
  accepted boolean not null,
  cancels_unanswered integer not null,
  amends_unanswered integer not null
) with (fillfactor = 70);
create index orders_v1_account on read.orders_v1 (account_id, position desc);
create index orders_v1_client_order_id on read.orders_v1 (account_id, client_order_id)
  where client_order_id is not null;
create view read.orders as
  select order_id, client_order_id, account_id, symbol, side, type, time_in_force, quantity, limit_cents,
         protection_cents, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
         created_at, updated_at, position, event_positions
    from read.orders_v1;

create table read.execution_v1 (
  position bigint primary key,
  account_id uuid not null,
  order_id uuid not null,
  symbol text not null,
  side text not null,
  liquidity text not null,
  trade_id text not null,
  price_cents bigint not null,
  quantity bigint not null,
  value_cents bigint not null,
  fee_cents bigint not null,
  sequence bigint not null,          -- the trade's revision in its book
  executed_at timestamptz not null
);
create index execution_v1_account on read.execution_v1 (account_id, position desc);
create index execution_v1_order on read.execution_v1 (order_id);
create view read.execution as select * from read.execution_v1;

create table read.candle_v1 (
  symbol text not null,
  interval text not null,
  start timestamptz not null,
  open_cents bigint not null,
  high_cents bigint not null,
  low_cents bigint not null,
  close_cents bigint not null,
  volume bigint not null,
  trades bigint not null,
  primary key (symbol, interval, start)
) with (fillfactor = 80);
create view read.candle as select * from read.candle_v1;

create table read.symbol_v1 (
  symbol text primary key,
  name text not null,
  state text not null,
  tick_cents bigint not null,
  listing_cents bigint not null,
  reference_cents bigint not null,
  collar_ppm bigint not null,
  fee_ppm bigint not null,
  order_shares_max bigint not null,
  daily_close text not null,
  bands_off boolean not null,
  quotas_off boolean not null
);
create view read.symbol as select * from read.symbol_v1;
