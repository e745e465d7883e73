"""The count that a Discord export states of itself, read apart from the parser that it checks."""

import re
from pathlib import Path

TAIL_BYTES = 65_536
STATED = re.compile(rb"postamble__entry[\"']?>\s*Exported\s+([^<]{1,60}?)\s+message\(s\)")


def stated_messages(export: Path) -> int | None:
    """Return N of the closing line ``Exported N message(s)``, or None if the file was cut off.

    Args:
        export: HTML file by DiscordChatExporter; thousands are parted as its locale does.
    """
    with open(export, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        found = STATED.findall(file.read())
    if not found:
        return None
    # Entities (&#8239;, a narrow space) hold digits too, which are no part of the number.
    digits = re.sub(rb"\D", b"", re.sub(rb"&[#\w]+;", b"", found[-1]))
    return int(digits) if digits else None
