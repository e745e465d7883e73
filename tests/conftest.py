"""Tests side by side: those of a file in one process, and all files that share the demo in another."""

from functools import cache

import pytest

from scripts.common.code import ROOT


def pytest_collection_modifyitems(items):
    """Begin with what needs the demo, which takes longest; all else runs beside it."""
    items.sort(key=lambda item: _group(item.nodeid) != "demo")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config, log):
    """Return what hands out tests, a file at a time; what needs the demo goes to one process."""
    from xdist.scheduler import LoadFileScheduling

    class BesideTheDemo(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return _group(nodeid)

    return BesideTheDemo(config, log)


def _group(nodeid):
    file = nodeid.partition("::")[0]
    return "demo" if _needs_demo(file) else file


@cache
def _needs_demo(file):
    return "mark.demo" in (ROOT / file).read_text(encoding="utf-8")
