"""`python -m lightning_apps` is the command `lightning`."""

from .cli.entry import main

if __name__ == "__main__":
    main()
