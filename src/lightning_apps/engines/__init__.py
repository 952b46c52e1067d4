"""Where workers are placed.  An engine starts, observes and ends processes; it knows nothing of state or calls."""
