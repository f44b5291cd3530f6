-- From here on commits are packed: an image that reads none refuses this store by the name of this file.
comment on column store.commit.body is
  'The events: a JSON array of values without names that begins with 2, or of whole events, as older versions wrote them.';
