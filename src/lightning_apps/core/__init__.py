"""The brain: events in, one turn of the root flow, a record and effects out.  No clock, thread, file or socket in here."""
