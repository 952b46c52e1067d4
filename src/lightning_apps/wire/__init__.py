"""How two processes speak: frames, links and the hub.  Knows messages, not what they are about."""
