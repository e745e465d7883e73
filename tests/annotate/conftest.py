"""An endpoint on this machine that answers which verbs a text has."""

import pytest

from tests.annotate.openai_jobs import VERBS
from tests.annotate.openai_server import OpenAIServer


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "made-up-key")
    with OpenAIServer() as server:
        server.answer = lambda text: ", ".join(VERBS.get(text, ["walk"])) or "' '"
        yield server
