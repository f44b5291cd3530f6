-- The kill switch of an account. None was active before: the default is what a rebuild gives.
alter table read.wallet_v1 add column kill_switch text;   -- who has activated it

drop view read.wallet;
create view read.wallet as select * from read.wallet_v1;
