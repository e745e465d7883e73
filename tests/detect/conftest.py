"""Sources that the tests of this stage share."""

import pytest
import torch

from tests.detect.made_up_sources import LABELS, make_source, train


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared by many."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> dict[str, dict]:
    """All sources, with 9 training and 4 test videos each."""
    folder = tmp_path_factory.mktemp("sources")
    return {name: make_source(folder, name, train=9, test=4) for name in LABELS}


@pytest.fixture(scope="session")
def trained(sources, tmp_path_factory):
    """A finished training: its outputs, beside its ledger."""
    folder = tmp_path_factory.mktemp("trained")
    torch.set_num_threads(1)
    counts = train(sources, folder, folder / "ledger")
    assert counts.sentence() == "read 36 = kept 36 + rejected 0"
    return folder
