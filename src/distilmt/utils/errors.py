"""The exception whose message is for users."""


class UserError(Exception):
    """An error that the user can fix: one line with the input and the remedy.

    The command line prints it without a traceback and exits with status 2.

    Examples:
        >>> try:
        ...     distilmt.Run("runs/demo/corpus")
        ... except distilmt.UserError as error:
        ...     print(error)
        runs/demo/corpus has no config.yaml: name the directory of a run, such as runs/demo
    """


class TooLargeError(UserError):
    """An input with more bytes, pixels or pages than is read."""
