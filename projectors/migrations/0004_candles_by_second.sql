-- Candles of one second, one minute, one hour and one day; the others are made of these when they are read.
create table read.candle_v2 (like read.candle_v1 including all) with (fillfactor = 80);
drop view read.candle;
create view read.candle as select * from read.candle_v2;
drop table read.candle_v1;
delete from read.projection where name = 'candles' and version = 1;
