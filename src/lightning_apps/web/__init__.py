"""The HTTP face of an app: served on a thread of its own, reading from the board and never from the core."""
