"""The one exception for mistakes a user can mend."""


class UsageError(ValueError):
    """A mistake of the caller: one line that says what was given and what is allowed.

    The command line prints it as `error: ...` and exits with status 2.
    """
