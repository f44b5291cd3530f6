-- Trading days. Every symbol traded around the clock before: the defaults are what a rebuild gives.
alter table read.symbol_v1
  add column session text,            -- JSON; null: around the clock
  add column clock_factor integer not null default 1;

drop view read.symbol;
create view read.symbol as select * from read.symbol_v1;
