"""The one exception that people, rather than programmers, are meant to read."""


class UserError(Exception):
    """Something the user can mend: one line that names the input and the remedy.

    The command line prints it without a traceback and exits with status 2.
    """
