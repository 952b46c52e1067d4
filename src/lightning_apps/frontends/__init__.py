"""The frontends that come with the framework, one a module; each shows something a user wrote.  Knows nothing of the host."""
