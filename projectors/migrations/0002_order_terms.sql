-- What orders may ask for besides, and symbols' newer rules. What was written before asked for none of it, so the
-- defaults are what a rebuild gives.
alter table read.orders_v1
  add column post_only boolean not null default false,
  add column min_quantity bigint,
  add column self_trade text not null default 'none',
  add column prevented_quantity bigint not null default 0;

drop view read.orders;
create view read.orders as
  select order_id, client_order_id, account_id, symbol, side, type, time_in_force, quantity, limit_cents,
         protection_cents, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
         created_at, updated_at, position, event_positions, post_only, min_quantity, self_trade, prevented_quantity
    from read.orders_v1;

alter table read.symbol_v1
  add column lot_shares bigint not null default 1,
  add column notional_min_cents bigint,
  add column notional_max_cents bigint,
  add column matching_rules integer not null default 1;

drop view read.symbol;
create view read.symbol as select * from read.symbol_v1;
