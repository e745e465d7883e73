"""The messages of an export as plain rows, read as the workflow reads them."""

from pathlib import Path
from typing import NamedTuple

from scripts.curate.discord_export import DiscordExport
from scripts.curate.message_parts import (
    Author,
    Interaction,
    Video,
    content_and_video,
    find_interaction,
)


class Message(NamedTuple):
    """A row of the reader's table."""

    message_id: int
    author: Author | None
    is_system: bool
    is_complete: bool
    opens_group: bool
    html: bytes

    def content_and_video(self) -> tuple[str, Video | None]:
        return content_and_video(self.html)

    def interaction(self) -> Interaction | None:
        return find_interaction(self.html)


def rows_of(source: DiscordExport) -> list[Message]:
    return [
        Message(
            int(row["message_id"]),
            row["author"]
            and Author(row["author"], row["full_name"], row["is_bot"], row["author_id"]),
            row["is_system"],
            row["is_complete"],
            row["opens_group"],
            row["html"].encode(),
        )
        for table in source.messages()
        for row in table.iter_rows(named=True)
    ]


def read(tmp_path: Path, document: str | bytes) -> tuple[list[Message], DiscordExport]:
    path = tmp_path / "export.html"
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    source = DiscordExport(path)
    return rows_of(source), source
