"""The program: `python -m distilmt`, and the command `distilmt`."""

import os
import signal
import sys


def program() -> None:
    """Run the command line and exit with its status.

    Until the command line has its own handlers, Ctrl-C ends the process at once: nothing has begun that could be left
    incomplete, and Python would print a traceback of its imports.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from distilmt.cli import main

    sys.exit(main())


def _end(number: int, _: object) -> None:
    os.write(2, b"\nInterrupted.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    program()
