"""Which exports there are, and how each is called."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

DEMO_EXPORTS = ("demo-animate.html", "demo-create.html", "demo-create [part 2].html")
"""Files of the made-up channel: one plain, one partitioned in two as the exporter does it."""
MEDIA_FOLDERS = ("*_Files",)
"""Folders into which the exporter puts what was attached to messages."""
_SUFFIXES = (".html", ".htm")


def find_exports(
    folder: str, media_folders: Sequence[str] = MEDIA_FOLDERS, *, made_up: bool
) -> dict[str, str]:
    """Return name -> path of every export, in the order of the names.

    The name is the file's with everything but ASCII letters and digits made a dash; files whose
    names agree then get a number. What was attached to a message may itself be called ``.html``,
    and may be a forged export: nothing in a folder of media is one.

    Args:
        folder: searched through for HTML files, with its folders, as seen from the working
            directory.
        media_folders: patterns of the names of folders in it that hold media.
        made_up: the exports are the demo's, and need not exist yet.
    """
    if made_up:
        paths = [Path(folder) / name for name in DEMO_EXPORTS]
    else:
        paths = sorted(_pages(Path(folder), media_folders))
    exports: dict[str, str] = {}
    for path in paths:
        name = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-") or "export"
        number = 2
        unique = name
        while unique in exports:
            unique, number = f"{name}-{number}", number + 1
        exports[unique] = str(path)
    return dict(sorted(exports.items()))


def _pages(folder: Path, media_folders: Sequence[str]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        folders = path.relative_to(folder).parts[:-1]
        is_media = any(fnmatchcase(name, each) for name in folders for each in media_folders)
        if path.suffix.lower() in _SUFFIXES and not is_media and path.is_file():
            yield path
