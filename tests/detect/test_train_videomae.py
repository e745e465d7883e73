"""Training a tiny VideoMAE: it learns, it is the same twice, it resumes after a kill."""

import csv
import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEImageProcessor,
    get_linear_schedule_with_warmup,
)

from scripts.common.errors import UserError
from scripts.common.schemas.detect import CLASSES, REASONS
from scripts.common.seen import read_seen
from scripts.common.video import read_frames
from scripts.detect import train_videomae, training_clips, videomae
from scripts.detect.training_clips import FrameStore, TrainingClips
from scripts.detect.videomae import VideoMae, read_model
from scripts.detect.videomae_training import TrainingSettings, TrainingVideos, run_training
from scripts.models.training_state import TrainingState
from tests.detect.made_up_sources import LABELS, make_source, tiny_entry, train


def test_learning_rate_is_transformers():
    for iterations, share in ((20, 0.1), (33, 0.1), (10, 0.0), (5, 1.0)):
        weight = torch.nn.Parameter(torch.zeros(1))
        optimiser = torch.optim.SGD([weight], lr=1.0)
        warmup = int(np.ceil(iterations * share))
        schedule = get_linear_schedule_with_warmup(optimiser, warmup, iterations)
        settings = TrainingSettings(iterations, 8, 1.0, share)
        for iteration in range(iterations):
            assert settings.rate(iteration) == pytest.approx(schedule.get_last_lr()[0])
            optimiser.step()
            schedule.step()


def test_the_curve_has_every_iteration(trained):
    rows = list(csv.DictReader((trained / "curve.csv").read_text().splitlines()))
    assert [int(row["iteration"]) for row in rows] == list(range(1, 41))
    assert float(rows[0]["learning_rate"]) == 0
    assert max(float(row["learning_rate"]) for row in rows) <= 5e-3
    losses = [float(row["loss"]) for row in rows]
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


def test_the_weights_say_what_was_seen(sources, trained):
    seen = read_seen(trained / "weights.safetensors")
    assert set(seen["sources"]) == set(sources)
    assert set(seen["classes"]) == set(CLASSES)
    assert sum(seen["sources"].values()) == sum(seen["classes"].values()) == 36


def test_the_same_training_gives_the_same_bytes(sources, trained, tmp_path):
    train(sources, tmp_path, tmp_path / "ledger")
    for name in ("weights.safetensors", "curve.csv"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_two_processes_end_where_one_does(sources, trained, tmp_path):
    counts = train(sources, tmp_path, tmp_path / "ledger", processes=2, threads=2)
    assert counts.sentence() == "read 36 = kept 36 + rejected 0"
    found, expected = (load_file(folder / "weights.safetensors") for folder in (tmp_path, trained))
    for name, tensor in expected.items():
        # A bias of the keys moves no output: its gradient is rounding, which Adam blows up.
        if not name.endswith("key.bias"):
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=2e-4, msg=name)
    curves = [(folder / "curve.csv").read_text().splitlines()[1:] for folder in (tmp_path, trained)]
    losses = [[float(row.split(",")[1]) for row in curve] for curve in curves]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("gpus", range(1, 1 + min(2, torch.cuda.device_count())))
def test_a_gpu_learns_what_a_cpu_does(sources, trained, tmp_path, gpus):
    train(sources, tmp_path, tmp_path / "ledger", tiny_entry(precision="bfloat16"), gpus=gpus)
    curves = [(folder / "curve.csv").read_text().splitlines()[1:] for folder in (tmp_path, trained)]
    losses = [[float(row.split(",")[1]) for row in curve] for curve in curves]
    assert losses[0] == pytest.approx(losses[1], rel=0.1, abs=0.02)


def test_gpus_that_are_not_there_are_a_sentence(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^a GPU is asked for, and this machine shows PyTorch none"
    ):
        train(sources, tmp_path, tmp_path, gpus=1)
    with pytest.raises(UserError, match=r"a batch of 6 clips cannot be shared by 7 devices"):
        train(sources, tmp_path, tmp_path, processes=7)


def test_memory_and_workers_decide_about_time_only(sources, trained, tmp_path):
    entry = tiny_entry()
    entry["settings"]["running"] = {"frames_in_memory_mb": 0, "workers": 1, "checkpoint_every": 99}
    train(sources, tmp_path, tmp_path / "ledger", entry)
    weights = "weights.safetensors"
    assert (tmp_path / weights).read_bytes() == (trained / weights).read_bytes()


def _train_until_killed(sources, folder, ledger):
    save = TrainingState.save

    def save_and_die(self, learner, run, *args):
        save(self, learner, run, *args)
        if run.done == 15:
            os.kill(os.getpid(), signal.SIGKILL)

    TrainingState.save = save_and_die
    train(sources, folder, ledger)


def test_a_killed_training_resumes_to_the_same_end(sources, trained, tmp_path, monkeypatch):
    ledger = tmp_path / "ledger"
    process = multiprocessing.get_context("fork").Process(
        target=_train_until_killed, args=(sources, tmp_path, ledger)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "weights.safetensors").exists()
    resumed = []
    resume = TrainingState.resume
    monkeypatch.setattr(
        TrainingState, "resume", lambda *args: resumed.append(resume(*args)) or resumed[0]
    )
    first = []
    load = videomae.load
    monkeypatch.setattr(videomae, "load", lambda *args: first.append(args[-1]) or load(*args))
    train(sources, tmp_path, ledger)
    assert first == [15]
    for name in ("weights.safetensors", "curve.csv"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()
    assert not list(ledger.rglob("checkpoint"))


def test_a_finished_training_is_recalled_until_something_changes(
    sources, trained, tmp_path, monkeypatch
):
    def trained_again(*args, **kwargs):
        raise InterruptedError

    monkeypatch.setattr(VideoMae, "train", trained_again)
    ledger = trained / "ledger"
    train(sources, tmp_path, ledger)
    assert (tmp_path / "curve.csv").read_bytes() == (trained / "curve.csv").read_bytes()
    faster = tiny_entry()
    faster["settings"]["running"]["checkpoint_every"] = 1
    train(sources, tmp_path, ledger, faster)
    with pytest.raises(InterruptedError):
        train(sources, tmp_path, ledger, tiny_entry(learning_rate=1e-4))
    with pytest.raises(InterruptedError):
        train(sources, tmp_path, ledger, names=("camera", "dreamer", "pika"))


def clips_of(sources, names, samples=60, seed=1, **how):
    """Return the samples of a training on some sources."""
    training = TrainingVideos({name: sources[name] for name in names}, None, 0)
    settings = VideoMae(None, **tiny_entry()["settings"])._clip
    store = FrameStore(training.read, settings, 2**24)
    return TrainingClips(training.chosen, store, settings, samples=samples, seed=seed, **how)


def test_classes_take_turns_and_every_video_comes_once_in_a_pass(sources):
    names = ["camera", "dreamer", "pika", "svd"]
    clips = clips_of(sources, names)
    assert [clips[number][1] for number in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    for kind, size in enumerate((9, 9, 18)):
        drawn = [clips._drawn(kind, position, 0).uuid for position in range(2 * size)]
        assert len(set(drawn[:size])) == len(set(drawn[size:])) == size
        assert drawn[:size] != drawn[size:]


def test_classes_are_seen_as_often_as_they_have_videos_unless_balanced(sources):
    clips = clips_of(sources, ["camera", "dreamer", "pika", "svd"], balanced=False)
    drawn = [clips._drawn(0, position, 0) for position in range(36)]
    assert len({video.uuid for video in drawn}) == 36
    assert [clips[number][1] for number in range(36)] == [CLASSES.index(v.label) for v in drawn]
    assert [video.label for video in drawn] != sorted(video.label for video in drawn)


def test_a_sample_depends_on_its_number_alone(sources):
    one, other = (clips_of(sources, ["camera", "dreamer", "pika"]) for _ in range(2))
    forwards = [one[number][0] for number in range(12)]
    backwards = [other[number][0] for number in reversed(range(12))][::-1]
    assert all(map(torch.equal, forwards, backwards))
    assert not torch.equal(
        forwards[0], clips_of(sources, ["camera", "dreamer", "pika"], seed=2)[0][0]
    )


def test_a_video_that_does_not_decode_is_replaced_and_counted(sources, tmp_path):
    broken = make_source(tmp_path, "svd", train=3, test=0, broken_trains=1)
    for _ in ("trained", "recalled"):
        counts = train(
            sources | {"svd": broken}, tmp_path, tmp_path, names=("camera", "dreamer", "svd")
        )
        assert counts.read == 21 and counts.kept == 20
        assert counts.rejected == {"undecodable": 1}
        assert set(counts.rejected) <= set(REASONS)


def test_a_class_without_videos_is_an_error(sources, tmp_path):
    with pytest.raises(UserError, match="class text_generated"):
        train(sources, tmp_path, tmp_path, names=("camera", "pika"))
    hopeless = make_source(tmp_path, "svd", train=1, test=0, broken_trains=1)
    with pytest.raises(UserError, match="no training video of the class image_generated"):
        train(sources | {"svd": hopeless}, tmp_path, tmp_path, names=("camera", "dreamer", "svd"))


def test_a_choice_of_videos_is_shared_by_the_generators(sources, tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(
        VideoMae, "train", lambda self, videos, *args, **kwargs: chosen.extend(videos) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        train(sources, tmp_path, tmp_path, tiny_entry(videos_per_class=4))
    numbers = {name: sum(video.source == name for video in chosen) for name in LABELS}
    assert numbers == {"camera": 4, "dreamer": 4, "pika": 2, "svd": 2}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A tiny pre-trained VideoMAE in the hub's layout, with biases as version 4 wrote them."""
    folder = tmp_path_factory.mktemp("videomae")
    small = tiny_entry()["settings"]["model"] | {"use_mean_pooling": False}
    decoder = {"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1}
    decoder |= {"decoder_intermediate_size": 16, "decoder_num_attention_heads": 2}
    torch.manual_seed(3)
    model = VideoMAEForPreTraining(VideoMAEConfig(**small, **decoder, image_size=32, num_frames=4))
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    model.save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    renamed = {
        name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tensor
        for name, tensor in state.items()
    }
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    VideoMAEImageProcessor(image_mean=mean, image_std=deviation).save_pretrained(folder)
    return folder, model


def test_a_pretrained_encoder_is_loaded_whole(pretrained):
    folder, original = pretrained
    settings = tiny_entry()["settings"] | {"model": {"use_mean_pooling": False}}
    model = VideoMae({"path": str(folder)}, **settings).new_model()
    assert model.config.num_labels == 3 and model.fc_norm is None
    expected = original.videomae.state_dict()
    found = model.videomae.state_dict()
    assert found.keys() == expected.keys()
    assert any(name.endswith("query.bias") for name in found)
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


def test_the_mean_of_all_tokens_can_be_pooled(pretrained):
    """As in VideoMAE's own modeling_finetune.py: the last norm goes, one after the mean comes."""
    folder, original = pretrained
    settings = tiny_entry()["settings"] | {"model": {"use_mean_pooling": True}}
    model = VideoMae({"path": str(folder)}, **settings).new_model().eval()
    assert model.videomae.layernorm is None
    assert torch.equal(model.fc_norm.weight, torch.ones(16))
    expected = original.videomae.state_dict()
    for name, tensor in model.videomae.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    pixels = torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        tokens = model.videomae(pixels).last_hidden_state
        expected = model.classifier(functional.layer_norm(tokens.mean(1), (16,)))
        torch.testing.assert_close(model(pixels).logits, expected)


def test_a_pretrained_model_that_does_not_fit_is_an_error(pretrained, tmp_path):
    folder, _ = pretrained
    settings = tiny_entry()["settings"] | {"model": {"use_mean_pooling": False}}
    wrong = settings | {"clip": settings["clip"] | {"frames": 8}}
    with pytest.raises(UserError, match="num_frames 8 do not fit"):
        VideoMae({"path": str(folder)}, **wrong).new_model()
    with pytest.raises(UserError, match="cannot be loaded"):
        VideoMae({"path": str(tmp_path)}, **settings).new_model()
    other = tmp_path / "other"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    VideoMAEImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(other)
    with pytest.raises(UserError, match="expects pixels normalised"):
        VideoMae({"path": str(other)}, **settings).new_model()


def test_trained_weights_are_read_with_their_configuration(trained, tmp_path):
    model = read_model(trained / "weights.safetensors")
    assert model.config.id2label == dict(enumerate(CLASSES))
    assert not model.training
    (tmp_path / "half.safetensors").write_bytes(b"{}")
    with pytest.raises(UserError, match="half"):
        read_model(tmp_path / "half.safetensors")


def test_a_crop_larger_than_the_smallest_scale_is_refused():
    settings = tiny_entry()["settings"]
    settings["clip"]["short_side"] = [16, 40]
    with pytest.raises(UserError, match="short_side"):
        VideoMae(None, **settings)


def test_trainings_of_a_job_share_what_they_decode(sources, trained, tmp_path, monkeypatch):
    """And end as each does alone; what the next one does not learn from is let go."""
    decoded = []
    monkeypatch.setattr(
        training_clips,
        "read_frames",
        lambda data, *args, **how: decoded.append(data) or read_frames(data, *args, **how),
    )
    names = ("cross_domain-svd", "cross_domain-pika")
    files = {kind: [tmp_path / f"{name}.{kind}" for name in names] for kind in ("w", "csv")}
    trainings = {names[0]: ["camera", "dreamer", "pika"], names[1]: list(LABELS)}
    held = {}
    monkeypatch.setattr(
        train_videomae, "run_training", lambda *a, **k: held.update(k) or run_training(*a, **k)
    )
    counts = train_videomae.train_videomae(
        files["w"],
        files["csv"],
        trainings=trainings,
        sources=sources,
        entry=tiny_entry(),
        seed=7,
        ledger_root=tmp_path / "ledger",
    )
    assert counts.sentence() == "read 63 = kept 63 + rejected 0"
    assert len(decoded) == len(set(decoded)) == 36 == len(held["held"])
    assert files["w"][1].read_bytes() == (trained / "weights.safetensors").read_bytes()
    assert files["csv"][1].read_bytes() == (trained / "curve.csv").read_bytes()
    assert files["w"][0].read_bytes() != files["w"][1].read_bytes()


def test_gradients_of_a_batch_in_parts_are_those_of_the_batch(sources, tmp_path):
    weights = {}
    for parts in (0, 2):
        entry = tiny_entry(iterations=3, micro_batch=parts)
        train(sources, tmp_path / str(parts), tmp_path / "ledger", entry)
        weights[parts] = load_file(tmp_path / str(parts) / "weights.safetensors")
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[2][name], value, rtol=1e-3, atol=1e-4)
