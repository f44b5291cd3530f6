-- Events that earlier versions could not fold and parked (texts with NUL, times before the year 1) can be folded now: a
-- projection that lacks some is built again from the beginning, which a missing cursor is all it takes for.
delete from read.projection p
 where exists (select from read.parked k where k.projection = p.name and k.version = p.version);
