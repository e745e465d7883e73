"""Subjects and directions by spaCy: examples, and the demo's prompts, whose subjects are known."""

import pytest

from scripts.annotate.spacy_taggers import SpacyDirection, SpacySubject
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.demo.prompts import image_ideas

WORDS = read_sheets(ROOT / "config")["annotators"]["spacy_subject"]["settings"]
EXAMPLES = {
    # prompt: (subject, verbs)
    "zoom in": ("", ["zoom"]),
    "slow zoom in, cinematic": ("", ["zoom"]),
    "hair blowing in the wind": ("Hair", ["blow"]),
    "girl smiling, camera moving forward": ("Girl", ["smile", "move"]),
    "make the dragon breathe fire": ("Dragon", ["make", "breathe"]),
    "the man is talking": ("Man", ["talk"]),
    "in the forest, a deer runs": ("Deer", ["run"]),
    "a close-up of a cat": ("Cat", []),
    "portrait of a woman, blinking": ("Woman", ["blink"]),
    "she smiles and waves": ("Person", ["smile", "wave"]),
    "ocean waves crashing": ("Ocean waves", ["crash"]),
    "the brick wall shines brightly, faded colours": ("Brick wall", ["shine"]),
    "the temple, camera pans left, impressionist painting": ("Temple", ["pan"]),
    "a photographer in a coat shakes, 1920s look": ("Photographer", ["shake"]),
    "wind blows over a cat, 1920s look, it's raining": ("Cat", ["blow", "rain"]),
    "a cup of coffee shakes": ("Cup of coffee", ["shake"]),
    "astronauts smile and laugh 🔥 https://example.com/cat.png": ("Astronauts", ["smile", "laugh"]),
    "космонавт медленно поворачивается": ("", []),
    "🔥": ("", []),
    "": ("", []),
}


@pytest.fixture(scope="module")
def subjects():
    return SpacySubject(**WORDS)


@pytest.fixture(scope="module")
def directions():
    return SpacyDirection(**WORDS)


def test_subjects_of_examples(subjects):
    found = dict(zip(EXAMPLES, subjects.tag(list(EXAMPLES)), strict=True))
    assert found == {prompt: subject for prompt, (subject, _) in EXAMPLES.items()}


def test_verbs_of_examples(directions):
    found = dict(zip(EXAMPLES, directions.tag(list(EXAMPLES)), strict=True))
    assert found == {prompt: verbs for prompt, (_, verbs) in EXAMPLES.items()}


def test_an_answer_does_not_depend_on_the_other_texts(subjects, directions):
    prompt = "a lonely horse gallops through the dust"
    assert subjects.tag(["猫", prompt, "x"])[1] == subjects.tag([prompt])[0] == "Lonely horse"
    assert directions.tag(["猫", prompt, "x"])[1] == directions.tag([prompt])[0] == ["gallop"]


def test_the_demos_subjects_are_found(subjects):
    # Its prompts in other languages (one in sixteen) are beyond an English pipeline.
    ideas = [idea for idea in image_ideas(300, seed=7) if idea.text.isascii()]
    heads = {"mountains": "mountain", "coins": "coin", "galaxy": "galax"}
    found = subjects.tag([idea.text for idea in ideas])
    missed = [
        (idea.text, subject)
        for idea, subject in zip(ideas, found, strict=True)
        if heads.get(idea.subject, idea.subject.split()[-1]) not in subject.lower()
    ]
    assert len(missed) <= 0.03 * len(ideas), missed


def test_most_of_the_demos_prompts_have_a_verb(directions):
    ideas = [idea for idea in image_ideas(300, seed=7) if idea.text.isascii()]
    found = directions.tag([idea.text for idea in ideas])
    without = [idea.text for idea, verbs in zip(ideas, found, strict=True) if not verbs]
    assert len(without) <= 0.05 * len(ideas), without


def test_a_missing_pipeline_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="no spaCy pipeline"):
        SpacySubject(weights={"path": str(tmp_path / "none")}, **WORDS)
