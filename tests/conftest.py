"""Tests side by side: those of a file in one process, and all that share the demo in another."""

import pytest


def pytest_collection_modifyitems(config, items):
    """Begin with what needs the demo, which takes longest; whatever else there is runs beside it."""
    items.sort(key=lambda item: item.get_closest_marker("demo") is None)
    if not config.pluginmanager.hasplugin("xdist"):
        return  # it is in the environment that make sets up
    for item in items:
        needs_demo = item.get_closest_marker("demo") is not None
        item.add_marker(pytest.mark.xdist_group("demo" if needs_demo else str(item.path)))
