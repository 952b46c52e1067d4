"""Where the console scripts begin: Ctrl-C ends the process without a word while everything else is being imported.

Knows nothing of commands.  `cli.run` puts Python's own handler back before anything is done that has to be tidied up.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself would import `enum` first


def main() -> None:
    """Import the command line and run it; does not return."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else whoever started us wants it ignored
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from .main import main as run

    run()
