"""A work's process: its half of the conversation with the host."""
