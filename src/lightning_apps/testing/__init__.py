"""The test kit: whole apps in memory, without processes, threads or sleeps; and the older framework's helpers, which run them."""
