"""The removal list: which prompts people asked to have taken out."""

import re
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import UserError

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_USER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class RemovalList:
    """UUIDs of prompts, and hashed users all of whose prompts are to go."""

    uuids: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.uuids or self.users)

    def covers(self, uuid: str, user: str | None) -> bool:
        """Return whether a prompt, first typed by the hashed ``user``, is to go."""
        return uuid in self.uuids or user in self.users


def read_removals(path: Path) -> RemovalList:
    """Read a removal list: one UUID or hashed user (32 digits) a line; ``#`` begins a comment.

    Raises:
        UserError: a line is neither; file and line are named.
    """
    uuids, users = set(), set()
    lines = Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip().lower()
        if _UUID.fullmatch(entry):
            uuids.add(entry)
        elif _USER.fullmatch(entry):
            users.add(entry)
        elif entry:
            raise UserError(
                f"{path}, line {number}: '{entry[:60]}' is neither a UUID nor a hashed user "
                "(32 hexadecimal digits); correct the line or put # before it"
            )
    return RemovalList(frozenset(uuids), frozenset(users))
