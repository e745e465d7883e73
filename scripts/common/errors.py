"""Errors that a user can mend."""


class UserError(Exception):
    """A fault that a user can mend.

    Its text is one sentence that names the path, the key or the column, and the way out. It is
    shown without a traceback.
    """


class Rejected(Exception):
    """An item that cannot be done, raised or returned in place of its value.

    Two of one reason are equal.

    Attributes:
        reason: of the closed list of the table that the item goes into.
    """

    def __init__(self, reason: str, detail: str = ""):
        """Say why.

        Args:
            reason: as above.
            detail: for a reader of the log.
        """
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rejected) and other.reason == self.reason

    def __hash__(self) -> int:
        return hash(self.reason)
