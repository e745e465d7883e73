"""The benchmark of evaluate: what it says where there is a GPU, tried without one."""

from types import SimpleNamespace

import pytest
import torch

from tests.benchmarks import evaluate


@pytest.fixture
def quick(monkeypatch):
    """Three dimensions and no work; return what was asked for."""
    asked = []
    monkeypatch.setattr(evaluate, "VIDEOS", 1)
    monkeypatch.setattr(evaluate, "make_videos", lambda folder: None)
    monkeypatch.setattr(evaluate, "score_videos", lambda *args, **given: asked.append(given))
    return asked


def test_both_ways_score_every_dimension(quick):
    found = evaluate.run()
    together, *single = [list(given["entries"]) for given in quick[: len(quick) // 2]]
    assert together == [name for each in single for name in each] and len(together) > 5
    assert {given["device"] for given in quick} == {"cpu"} and "gpu_waits" not in found


def test_with_a_gpu_it_says_how_long_that_waits(quick, monkeypatch, capsys):
    kernels = [SimpleNamespace(self_device_time_total=250_000.0)] * 2  # half a second a job

    class Profile:
        def __enter__(self):
            return self

        def __exit__(self, *fault):
            pass

        def key_averages(self):
            return kernels

    clock = iter(range(0, 1000, 2))  # each job takes two seconds
    monkeypatch.setattr(evaluate.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(evaluate.torch.profiler, "profile", lambda activities: Profile())
    monkeypatch.setattr(evaluate, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    small = torch.nn.Linear(1, 1)
    monkeypatch.setattr(evaluate, "NETWORKS", dict.fromkeys(evaluate.NETWORKS, lambda: small))
    found = evaluate.run()
    assert found["gpu_waits"] == {"ours": 0.75, "baseline": 0.75}
    assert "the GPU waits 75% of the time" in capsys.readouterr().out
    assert {given["device"] for given in quick} == {"auto"}
    assert {"subject_consistency", "i2v_subject", "camera_motion"} <= quick[0]["entries"].keys()
