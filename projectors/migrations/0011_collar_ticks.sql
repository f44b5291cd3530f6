-- How many ticks the entry collar reaches at least. No symbol said so before: the default is what a rebuild gives.
alter table read.symbol_v1 add column collar_ticks_min bigint not null default 1;

drop view read.symbol;
create view read.symbol as select * from read.symbol_v1;
