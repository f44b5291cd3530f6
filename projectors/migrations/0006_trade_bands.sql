-- Trade bands. No symbol had one before: the default is what a rebuild gives.
alter table read.symbol_v1 add column band_ppm bigint;

drop view read.symbol;
create view read.symbol as select * from read.symbol_v1;
