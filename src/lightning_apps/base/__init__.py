"""Words, values, messages, errors and settings: what every other level is written in.  Knows nothing of components or processes."""
