"""The test kit: whole apps in memory, without processes, threads or sleeps."""
