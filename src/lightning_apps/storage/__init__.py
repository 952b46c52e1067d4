"""Where things are kept: the journal of a run.  Knows bytes and files, not what they mean."""
