"""What a checkpoint saw: written beside its tensors, read without them, and held against a test."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.seen import read_seen, refuse_seen, write_seen

TRAINED = [prompt_uuid(f"training {number}") for number in range(50)]
TESTED = [prompt_uuid(f"test {number}") for number in range(20)]


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"b": np.arange(7, dtype=np.float32), "a": np.ones((2, 3), np.float16)}
    save_file(tensors, path, metadata={"config": json.dumps({"hidden": 3})})
    write_seen(path, sources={"pika": 40, "svd": 10}, classes={"real": 50}, uuids=TRAINED)
    return path


def test_tensors_and_other_notes_stay_as_they_are(weights):
    tensors = load_file(weights)
    assert tensors["b"].tolist() == list(range(7)) and tensors["a"].shape == (2, 3)
    with safe_open(weights, framework="np") as file:
        assert json.loads(file.metadata()["config"]) == {"hidden": 3}
    assert int.from_bytes(weights.read_bytes()[:8], "little") % 8 == 0  # tensors are aligned


def test_what_is_written_is_read_and_the_same_gives_the_same_bytes(weights):
    seen = read_seen(weights)
    assert (seen["sources"], seen["classes"]) == ({"pika": 40, "svd": 10}, {"real": 50})
    assert len(seen["uuids"]) == 50
    first = weights.read_bytes()
    again = {"sources": {"svd": 10, "pika": 40}, "classes": {"real": 50}}
    write_seen(weights, **again, uuids=reversed([*TRAINED, TRAINED[0]]))
    assert weights.read_bytes() == first
    assert not list(weights.parent.glob("*.part"))


def test_a_model_is_tested_on_what_it_did_not_see(weights):
    refuse_seen(weights, "same domain", "pika", TESTED, same_domain=True)
    refuse_seen(weights, "cross domain", "other", TESTED, same_domain=False)


@pytest.mark.parametrize(
    ("generator", "uuids", "same_domain", "message"),
    [
        (
            "svd",
            TESTED,
            False,
            "saw 10 items of svd, and 'row' tests it on that; delete it and run",
        ),
        ("other", TESTED, True, "saw nothing of other, and 'row' tests it on that"),
        (
            "other",
            [*TESTED, TRAINED[3], TRAINED[9]],
            False,
            "saw 2 of the 22 items of other on which",
        ),
    ],
)
def test_a_model_that_saw_what_it_is_tested_on_is_refused(
    weights, generator, uuids, same_domain, message
):
    with pytest.raises(UserError, match=message) as caught:
        refuse_seen(weights, "row", generator, uuids, same_domain=same_domain)
    assert str(caught.value).startswith(str(weights))


def test_a_file_that_says_nothing_is_refused(tmp_path):
    path = tmp_path / "old.safetensors"
    with pytest.raises(UserError, match="is missing; run the rule"):
        read_seen(path)
    save_file({"a": np.ones(3)}, path)
    with pytest.raises(UserError, match="does not say what its training saw; delete it and train"):
        read_seen(path)
    for damaged in (b"", b"\xff" * 20, path.read_bytes()[:30]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="is no safetensors file"):
            read_seen(path)
