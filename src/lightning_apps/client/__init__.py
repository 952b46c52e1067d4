"""A running app as other programs reach it: its state, its commands.  Needs nothing of the app but its URL."""
