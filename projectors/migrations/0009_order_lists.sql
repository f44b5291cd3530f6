-- Orders that belong together. None was there before: the defaults are what a rebuild gives.
alter table read.orders_v1
  add column list_id uuid,
  add column list_role text;
create index orders_v1_list on read.orders_v1 (list_id) where list_id is not null;

drop view read.orders;
create view read.orders as
  select order_id, client_order_id, account_id, symbol, side, type, time_in_force, quantity, limit_cents,
         protection_cents, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
         created_at, updated_at, position, event_positions, post_only, min_quantity, self_trade, prevented_quantity,
         stop_cents, trail_cents, trail_ppm, expires_at, display_quantity, notional_cents, list_id, list_role
    from read.orders_v1;
