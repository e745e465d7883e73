"""The demo, run once in a copy of the workflow, for all tests that need it."""

import os
from pathlib import Path

import pytest

from tests.workflow.demo_copy import Workflow, copy_workflow


@pytest.fixture(scope="session")
def demo(tmp_path_factory, request) -> Workflow:
    """A copy of the workflow in which the whole demo ran; minutes, shared by all tests.

    While working on these tests, TIP_I2V_DEMO may name such a copy, to be used as it is.
    """
    if finished := os.environ.get("TIP_I2V_DEMO"):
        return Workflow(Path(finished))
    workflow = Workflow(copy_workflow(tmp_path_factory.mktemp("workflow")))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nRunning the demo once for all tests that need it ...", flush=True)
        run = workflow.snakemake("--quiet", "rules", "host", "reason", show=True)
    assert run.returncode == 0, "the demo failed; see above"
    return workflow
