"""Tags as HTML reads them: attributes in any order, values in either quotes or in none.

A quoted value may hold ``<`` and ``>``. The expressions take time that grows with the length of
what they read and no faster, whatever that is: no part of them can match a text in two ways.
"""

import html
import re

_LONGEST_VALUE = 8192
# One character of a tag, or "=" and a quoted value; a quote that is never closed is a character.
_PIECE = rf"(?>=\s*(?>\"[^\"]{{0,{_LONGEST_VALUE}}}+\"|'[^']{{0,{_LONGEST_VALUE}}}+')?|[^<>=])"
ATTRIBUTES = rf"(?:{_PIECE})*+"
"""What stands between a tag's name and its ``>``."""

_ATTRIBUTE = re.compile(
    r"(?<![^\s\"'])([^\s\"'<>/=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>][^\s>]*))"
)


def tag(name: str, css_class: str, group: str = "") -> str:
    """Return an expression for the opening tag of an element of a class.

    Args:
        name: of the element.
        css_class: one of its classes; may be an expression.
        group: name of the group with its attributes; none by default.
    """
    has_class = (
        rf"(?=\s(?:{_PIECE})*?(?<=\s)class\s*=\s*[\"']?(?:[\w-]+\s)*(?:{css_class})[\s\"'>])"
    )
    attributes = rf"(?P<{group}>{ATTRIBUTES})" if group else ATTRIBUTES
    return rf"<{name}{has_class}{attributes}>"


def read_attributes(text: str) -> dict[str, str]:
    """Return a tag's attributes, entities decoded; of two of one name, the first counts.

    Args:
        text: the tag without its brackets and its name.
    """
    return {name: html.unescape(value) for name, value in raw_attributes(text).items()}


def raw_attributes(text: str) -> dict[str, str]:
    """Return a tag's attributes as ``read_attributes`` does, but with their entities."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name, double or single or bare)
    return found
