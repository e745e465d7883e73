"""Errors that a user can mend."""


class UserError(Exception):
    """A fault that a user can mend.

    Its text is one sentence that names the path, the key or the column, and the way out. It is
    shown without a traceback.
    """
