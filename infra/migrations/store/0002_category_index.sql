-- Nearly all commits are of accounts. The few others (markets, books, clients) are found without walking over those:
-- on a start that has no snapshots yet, that is most of what it reads.
create index commit_category on store.commit (split_part(stream, '-', 1), last_position)
  where split_part(stream, '-', 1) <> 'account';
