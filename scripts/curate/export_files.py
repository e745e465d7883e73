"""Which exports there are, and how each is called."""

import re
from pathlib import Path

DEMO_EXPORTS = ("demo-animate.html", "demo-create.html", "demo-create [part 2].html")
"""Files of the made-up channel: one plain, one partitioned in two as the exporter does it."""


def find_exports(folder: str, *, made_up: bool) -> dict[str, str]:
    """Return name -> path of every export, in the order of the names.

    The name is the file's with everything but ASCII letters and digits made a dash; files whose
    names agree then get a number.

    Args:
        folder: searched through for ``*.html``, with its folders, as seen from the working
            directory.
        made_up: the exports are the demo's, and need not exist yet.
    """
    if made_up:
        paths = [Path(folder) / name for name in DEMO_EXPORTS]
    else:
        paths = sorted(Path(folder).rglob("*.html"))
    exports: dict[str, str] = {}
    for path in paths:
        name = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-") or "export"
        number = 2
        unique = name
        while unique in exports:
            unique, number = f"{name}-{number}", number + 1
        exports[unique] = str(path)
    return dict(sorted(exports.items()))
