"""No name, id or picture of a user lies anywhere but where messages are recovered."""

import html
import re

import pytest

from scripts.common.tables import read_table
from tests.workflow.contents import files_with

pytestmark = pytest.mark.demo

PRIVATE = ("messages/", "sources/exports/")
"""Where users may be named: what was recovered, and the exports from which it was."""


def test_users_are_named_among_the_messages_alone(demo):
    users = users_of_exports(demo.results / "sources/exports")
    assert len(users) > 100
    requesters = {
        name
        for path in (demo.results / "messages").glob("*.parquet")
        for name in read_table(path)["requester"].to_pylist()
        if name
    }
    assert requesters & users
    found = files_with(demo.results, users | requesters)
    assert requesters & set(found), "the search finds nothing where they do lie"
    outside = {
        name: files
        for name, places in found.items()
        if (files := {place for place in places if not place.startswith(PRIVATE)})
    }
    assert not outside
    for folder in ("logs", "benchmarks"):
        assert not files_with(demo.root / "demo" / folder, users)


def users_of_exports(folder):
    """Return the names, display names, ids and pictures of all people in the exports."""
    users = set()
    for path in folder.glob("*.html"):
        text = path.read_text()
        for title, number, display in re.findall(
            r'chatlog__author"?[^>]*? title="?([^">]*?)"? data-user-id="?(\d+)"?>([^<]*)<', text
        ):
            if title != "Pika":
                users |= {html.unescape(title), number, html.unescape(display)}
        users |= set(re.findall(r"avatars/\d{5,}/\w+", text))
    return {user for user in users if user} - {"Pika"}  # the bot, whom every table names
