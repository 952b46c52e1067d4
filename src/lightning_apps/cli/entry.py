"""Where the console scripts begin: Ctrl-C ends the process without a word while everything else is being imported.

Knows nothing of commands.  `cli.run` puts Python's own handler back before anything is done that has to be tidied up.
"""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Import the command line and run it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .main import main as run

    run()
