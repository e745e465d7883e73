"""A generator that is a program: a stand-in that reads the image and leaves a video."""

import sys

import numpy as np
import pytest

from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.generate.diffusion import fit_image
from tests.generate.made_up import picture

STAND_IN = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
sys.path.insert(0, {root!r})
from scripts.common.video import encode_video
image, folder, prompt, seed = sys.argv[1:5]
Path("said.json").write_text(json.dumps([prompt, seed, str(Path.cwd())]))
if prompt == "fail":
    print("out of luck")
    sys.exit(3)
frame = np.asarray(Image.open(image).convert("RGB"))
if prompt != "nothing":
    (Path(folder) / "samples").mkdir()
    data = encode_video([np.roll(frame, n, axis=1) for n in range(4)], 24)
    (Path(folder) / "samples/sample_0000.mp4").write_bytes(data)
if prompt == "sleep":
    import time
    time.sleep(60)
"""


@pytest.fixture
def build(tmp_path):
    (tmp_path / "inference.py").write_text(STAND_IN.format(root=str(ROOT)))

    def build(**settings):
        common = {"checkout": str(tmp_path), "width": 32, "height": 16, "fit": "crop", "fps": 24,
                  "timeout_s": 60}  # fmt: skip
        common["command"] = [
            sys.executable,
            "inference.py",
            "{image}",
            "{folder}",
            "{prompt}",
            "{seed}",
        ]
        return load_backend(
            {"backend": "scripts.generate.program:Program", "settings": common | settings},
            device="cpu",
        )

    return build


def test_a_program_animates_an_image(build, tmp_path):
    frames, fps = build().generate(picture("a cat", width=60, height=40), "a cat waves", seed=2**40)
    assert frames.shape == (4, 16, 32, 3) and frames.dtype == np.uint8 and fps == 24
    assert (tmp_path / "said.json").read_text() == f'["a cat waves", "0", "{tmp_path}"]'


def test_the_image_goes_in_and_the_file_comes_out_as_the_entry_says(build):
    image = picture("a cat", width=60, height=20)
    for fit in ("crop", "stretch"):
        frames, fps = build(fit=fit, fps=12).generate(image, "a cat", seed=1)
        apart = {way: np.abs(np.int16(frames[0]) - np.asarray(fit_image(image, 32, 16, way))).mean()
                 for way in ("crop", "stretch")}  # fmt: skip
        assert fps == 12 and min(apart, key=apart.get) == fit


def test_a_prompt_is_one_word_and_fills_nothing(build, tmp_path):
    hostile = '; rm -rf / {image} {"reference_path": "/etc/passwd"} $(id) --seed 5'
    build(drop="{}").generate(picture("a cat", width=60, height=40), hostile, seed=7)
    said = (tmp_path / "said.json").read_text()
    assert said.startswith('["; rm -rf / image \\"reference_path\\": \\"/etc/passwd\\" $(id)')
    assert said.endswith(f'"7", "{tmp_path}"]')
    build().generate(picture("a cat", width=60, height=40), "{image}{seed}", seed=7)
    assert (tmp_path / "said.json").read_text().startswith('["{image}{seed}", ')


@pytest.mark.parametrize("prompt, words", [
    ("fail", "ended with 3: out of luck"), ("nothing", "left 0 videos"), ("sleep", "more than 5 s"),
])  # fmt: skip
def test_faults_of_a_program(build, prompt, words):
    with pytest.raises(RuntimeError, match=words):
        build(timeout_s=5).generate(picture("a cat", width=60, height=40), prompt, seed=1)


def test_what_is_not_there_is_named(build):
    with pytest.raises(UserError, match="checkout nowhere is missing"):
        build(checkout="nowhere")
    with pytest.raises(UserError, match="no program no-such-program"):
        build(command=["no-such-program"]).generate(picture("a cat"), "x", seed=1)


def test_open_soras_entry_fills_every_place():
    settings = read_sheets(ROOT / "config")["generators"]["opensora"]["settings"]
    words = " ".join(settings["command"])
    assert all(f"{{{place}}}" in words for place in ("image", "prompt", "seed", "folder"))
    assert settings["drop"] == "{}"  # its prompts carry settings in braces
