"""What users subclass: flows, works, structures, apps.  Knows nothing of processes, sockets or clocks."""
