"""Training: what it learns, that it repeats, resumes, and is recalled."""

import csv
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.common.seen import read_seen, refuse_seen
from scripts.models.training import MovingAverage
from scripts.models.training_state import TrainingState
from scripts.trace import training_pictures
from scripts.trace.cosface import Recipe
from scripts.trace.cosface_training import build_lesson, course_of
from scripts.trace.decode_frames import decode_frames
from scripts.trace.metrics import micro_average_precision
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.timm_tracer import TimmTracer
from scripts.trace.train_cosface import train_cosface
from scripts.trace.training_pictures import find_training_pictures
from tests.trace.made_up import MadeUpTrace, damage, picture, repaint

torch.set_num_threads(1)

ENTRY = {
    "backend": "scripts.trace.timm_tracer:TimmTracer",
    "settings": read_sheets(ROOT / "config")["tracers"]["vit_tiny"]["settings"],
    "training": {
        "epochs": 2, "iterations": 6, "batch_size": 16, "instances": 2, "learning_rate": 2e-3,
        "warmup_epochs": 1, "hold_epochs": 0, "scale": 32, "average": 0.9, "drop_path": 0.2,
        "log_every": 4, "checkpoint_every": 6, "cache_mb": 8,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    trace = MadeUpTrace(tmp_path_factory.mktemp("trace"), train=12, animate=repaint)
    for generator in trace.generators:
        videos = trace.root / "videos" / generator / "00000.tar"
        decode_frames(
            wanted=trace.root / "splits" / f"{generator}.parquet",
            videos=videos,
            video_index=videos.with_suffix(".parquet"),
            frames=trace.frames(generator),
            frame_index=trace.frames(generator).with_suffix(".parquet"),
            shards=1,
            **{"side": 64, "interpolation": "bicubic", "jpeg_quality": 95},
        )
    return trace


def files(trace, generators):
    frames = [trace.frames(name) for name in generators]
    return {
        "frames": frames,
        "frame_indexes": [tar.with_suffix(".parquet") for tar in frames],
        "images": trace.training_images,
    }


def train(trace, folder, generators=("left", "right"), entry=ENTRY, **changes):
    weights, table = folder / "model.safetensors", folder / "model.csv"
    settings = {"seed": 3, "ledger_root": folder / "ledger"} | changes
    counts = train_cosface(
        **files(trace, generators), weights=weights, training=table, entry=entry, **settings
    )
    return weights, table, counts


def with_training(**training):
    return ENTRY | {"training": ENTRY["training"] | training}


def test_classes_are_source_images_and_their_frames(trace):
    pictures = find_training_pictures(**files(trace, ["left", "right"]))
    assert pictures.classes == trace.train
    assert len(pictures) == 12 * (1 + 2 * 2)
    assert np.bincount(pictures.sources).tolist() == [12, 24, 24]
    assert np.bincount(pictures.labels).tolist() == [5] * 12
    other = find_training_pictures(**files(trace, ["left"]))
    assert len(other) == 12 * 3
    assert other.digest != pictures.digest


def test_a_tar_is_opened_once_for_the_pictures_read_of_it(trace):
    pictures = find_training_pictures(**files(trace, ["left", "right"]))
    training_pictures._open.cache_clear()
    dataset = training_pictures.PictureDataset(pictures, Preprocessing(16))
    labels = [dataset[number][1] for number in range(len(pictures))]
    assert labels == pictures.labels.tolist()
    assert training_pictures._open.cache_info().misses == len(pictures.tars)
    # A worker that is no fork, as newer Pythons have them, gets the data set as bytes.
    assert (pickle.loads(pickle.dumps(dataset))[3][0] == dataset[3][0]).all()


def test_it_learns_to_trace_pictures_it_never_saw(trace, tmp_path):
    weights, table, counts = train(trace, tmp_path, entry=with_training(epochs=4, iterations=18))
    assert counts.kept == 60
    with open(table) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "iteration", "learning_rate", "loss", "accuracy"]
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    assert int(rows[-1]["iteration"]) == 72

    images = [picture(5_000 + number) for number in range(60)]
    frames = [repaint(image, 1)[4] for image in images[:30]]

    def traced(weights):
        tracer = TimmTracer({"path": str(weights)}, **ENTRY["settings"])
        products = tracer.embed(frames) @ tracer.embed(images).T
        return micro_average_precision(products.ravel(), np.eye(30, 60).ravel(), positives=30)

    torch.manual_seed(3)
    save_file(build_lesson(ENTRY, 2).network.state_dict(), tmp_path / "untrained.safetensors")
    assert traced(weights) > traced(tmp_path / "untrained.safetensors") + 0.4


def test_it_repeats_and_depends_on_what_it_sees(trace, tmp_path):
    first, first_table, _ = train(trace, tmp_path / "a")
    second, second_table, _ = train(trace, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert first_table.read_bytes() == second_table.read_bytes()
    other_seed, _, _ = train(trace, tmp_path / "c", seed=4)
    assert other_seed.read_bytes() != first.read_bytes()
    one_generator, _, _ = train(trace, tmp_path / "d", generators=["left"])
    assert one_generator.read_bytes() != first.read_bytes()


def test_a_killed_run_resumes_to_the_same_end(trace, tmp_path, monkeypatch):
    whole, whole_table, _ = train(trace, tmp_path / "whole")
    steps = []
    update = MovingAverage.update

    def dying(average):
        steps.append(1)
        if len(steps) == 10:
            raise KeyboardInterrupt
        update(average)

    monkeypatch.setattr(MovingAverage, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(trace, tmp_path / "killed")
    assert list((tmp_path / "killed" / "ledger").rglob("checkpoint"))
    weights, table, _ = train(trace, tmp_path / "killed")
    assert len(steps) == 10 + 12 - 6  # it went on from the sixth step
    assert weights.read_bytes() == whole.read_bytes()
    assert table.read_bytes() == whole_table.read_bytes()
    assert not list((tmp_path / "killed" / "ledger").rglob("checkpoint"))


def test_a_finished_run_is_recalled(trace, tmp_path, monkeypatch):
    weights, table, _ = train(trace, tmp_path)
    kept = weights.read_bytes(), table.read_bytes()
    weights.unlink()
    table.unlink()
    monkeypatch.setattr("scripts.trace.train_cosface.train_on", None)
    train(trace, tmp_path)
    assert (weights.read_bytes(), table.read_bytes()) == kept
    with pytest.raises(TypeError):  # another recipe is another run
        train(trace, tmp_path, entry=with_training(margin=0.2))


def test_the_weights_are_those_of_the_network_alone(trace, tmp_path):
    weights, _, _ = train(trace, tmp_path)
    state = load_file(weights)
    tracer = TimmTracer({"path": str(weights)}, **ENTRY["settings"])
    assert set(state) == set(tracer._network.network.state_dict())


def test_the_weights_say_what_was_seen(trace, tmp_path):
    weights, _, _ = train(trace, tmp_path, generators=["right"])
    seen = read_seen(weights)
    assert seen["sources"] == {"source images": 12, "right": 24}
    assert seen["classes"] == len(seen["uuids"]) == 12
    refuse_seen(weights, "row", "left", trace.queries, same_domain=False)
    with pytest.raises(UserError, match=r"saw 24 items of right"):
        refuse_seen(weights, "row", "right", trace.queries, same_domain=False)
    with pytest.raises(UserError, match=rf"saw 1 of the 5 .*, such as {trace.train[2]}"):
        tested = [*trace.queries, trace.train[2]]
        refuse_seen(weights, "row", "left", tested, same_domain=False)


def test_reading_in_other_processes_changes_nothing(trace, tmp_path):
    entry = with_training(epochs=1, iterations=3, warmup_epochs=0)
    alone, _, _ = train(trace, tmp_path / "alone", entry=entry)
    workers = entry | {"training": entry["training"] | {"workers": 1, "cache_mb": 0}}
    shared, _, _ = train(trace, tmp_path / "shared", entry=workers)
    assert alone.read_bytes() == shared.read_bytes()


def test_faults_are_named(trace, tmp_path):
    with pytest.raises(UserError, match="no training frame"):
        train_cosface(
            **files(trace, []), weights=tmp_path / "w", training=tmp_path / "t", entry=ENTRY, seed=1
        )
    with pytest.raises(UserError, match=r"'training\.precision' is 'float16'"):
        train(trace, tmp_path, entry=with_training(precision="float16"))
    with pytest.raises(UserError, match="vit_huge"):
        settings = ENTRY["settings"] | {"model": "vit_huge"}
        train(trace, tmp_path, entry=ENTRY | {"settings": settings})


@pytest.mark.parametrize("without", [{"drop_path": 0.0}, {"margin": 0.0}, {"average": 0.0}])
def test_each_part_of_the_recipe_reaches_the_weights(trace, tmp_path, without):
    how = {"epochs": 1, "iterations": 3, "warmup_epochs": 0}
    whole, _, _ = train(trace, tmp_path / "whole", entry=with_training(**how))
    other, _, _ = train(trace, tmp_path / "other", entry=with_training(**how, **without))
    assert whole.read_bytes() != other.read_bytes()


def test_an_update_is_adams_without_decay():
    """As the published trainers have it; the loop itself is held in tests/models."""
    course = course_of(Recipe(), 90_000, 0, torch.device("cpu"))
    optimiser = course.optimiser([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimiser) is torch.optim.Adam
    assert optimiser.defaults["betas"] == (0.9, 0.999)
    assert (optimiser.defaults["lr"], optimiser.defaults["weight_decay"]) == (3.5e-4, 0)
    assert (course.steps, course.batch_size, course.average) == (50_000, 512, 0.9999)
    assert course.gradient_clip is None
    rates = [course.rate(step) / 3.5e-4 for step in (0, 1_999, 2_000, 10_000, 19_999, 22_000)]
    assert rates == pytest.approx([0.01, 0.01, 0.208, 1, 1, 0.9891], abs=5e-5)


def test_a_batch_may_be_taken_in_parts(trace, tmp_path):
    whole, _, _ = train(trace, tmp_path / "whole")
    parts, _, _ = train(trace, tmp_path / "parts", entry=with_training(micro_batch=5))
    assert_equal_weights(load_file(parts), load_file(whole))


def test_bfloat16_is_close(trace, tmp_path):
    tables = {}
    for precision in ("float32", "bfloat16"):
        _, table, _ = train(trace, tmp_path / precision, entry=with_training(precision=precision))
        tables[precision] = losses(table)
    assert tables["bfloat16"] != tables["float32"]
    assert tables["bfloat16"] == pytest.approx(tables["float32"], rel=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("devices", range(1, 1 + min(2, torch.cuda.device_count())))
def test_a_gpu_learns_what_a_cpu_does(trace, tmp_path, devices):
    _, expected, _ = train(trace, tmp_path / "cpu")
    entry = with_training(precision="bfloat16")
    _, table, _ = train(trace, tmp_path / "gpu", entry=entry, gpus=devices)
    assert losses(table) == pytest.approx(losses(expected), rel=0.03)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_tar_is_named_with_the_byte(trace, tmp_path, workers):
    entry = with_training(workers=workers)
    tar = trace.frames("left")
    with damage(tar), pytest.raises(UserError, match=rf"^{tar}: the picture of .* at byte \d+ "):
        train(trace, tmp_path, entry=entry)
    train(trace, tmp_path, entry=entry)


def test_a_tar_that_lost_its_end_is_found_before_the_training(trace, tmp_path):
    tar = trace.frames("left")
    whole = tar.read_bytes()
    try:
        tar.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match=rf"^{tar} is cut short or missing"):
            find_training_pictures(**files(trace, ["left"]))
    finally:
        tar.write_bytes(whole)


def test_a_damaged_state_is_named(trace, tmp_path, monkeypatch):
    save = TrainingState.save

    def save_and_die(*args):
        save(*args)
        raise KeyboardInterrupt

    entry = with_training(checkpoint_every=1)
    monkeypatch.setattr(TrainingState, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        train(trace, tmp_path, entry=entry)
    [state] = (tmp_path / "ledger").rglob("checkpoint")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UserError, match="the state of a killed training, cannot be read"):
        train(trace, tmp_path, entry=entry)


def test_what_changes_no_result_trains_nothing_again(trace, tmp_path, monkeypatch):
    train(trace, tmp_path, entry=with_training(epochs=1, iterations=1, warmup_epochs=0))
    monkeypatch.setattr("scripts.trace.train_cosface.train_on", None)
    how = {"epochs": 1, "iterations": 1, "warmup_epochs": 0, "cache_mb": 0, "workers": 3}
    train(trace, tmp_path, entry=with_training(**how, checkpoint_every=1))


def losses(table):
    with open(table) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def assert_equal_weights(state, expected):
    """Hold weights against those whose gradients were summed in another order.

    A bias of the keys adds the same to all of a query's products, which softmax ignores: its
    gradient is nothing but rounding, which Adam blows up to a step like any other. So it does, in
    the first steps, with the one element in ten thousand whose gradient is next to nothing.
    """
    assert set(state) == set(expected)
    for name, value in expected.items():
        found = state[name]
        if name.endswith("qkv.bias"):
            found, value = (torch.stack(tensor.chunk(3))[[0, 2]] for tensor in (found, value))
        torch.testing.assert_close(found, value, rtol=0, atol=2e-5, msg=name)
