"""What decides an annotation's rows: above all, what does not cost money again."""

import shutil
from dataclasses import replace

import pytest

from scripts.annotate.annotator import Annotator
from scripts.annotate.openai_batches import Batches
from scripts.common import code
from scripts.common.ledger import finished_items
from tests.annotate.openai_jobs import DIRECTION, PRICE, SUBJECT, TEXTS, annotator_of, ask
from tests.annotate.openai_jobs import make_shard as shard_of

ASKED = "scripts/annotate/prompt_answers.py"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the workflow's scripts, to be edited."""
    shutil.copytree(code.ROOT / "scripts/annotate", tmp_path / "root/scripts/annotate")
    shutil.copytree(code.ROOT / "scripts/common", tmp_path / "root/scripts/common")
    monkeypatch.setattr(code, "ROOT", tmp_path / "root")
    return tmp_path / "root"


def key(entry=SUBJECT, **changes):
    """Return the key of an entry as a new process finds it."""
    for cached in (value for value in vars(code).values() if hasattr(value, "cache_clear")):
        cached.cache_clear()
    return Annotator(entry | changes, "subject", "00000", "scripts/annotate/annotate_texts.py").key


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def rename(root, old, new):
    """Rename a module, and its name in all that imports it, with imports sorted anew."""
    (root / f"scripts/annotate/{old}.py").rename(root / f"scripts/annotate/{new}.py")
    for path in root.rglob("*.py"):
        lines = path.read_text().replace(f"annotate.{old}", f"annotate.{new}")
        path.write_text(lines)
    asking = root / "scripts/annotate/openai_text.py"
    if asking.exists():
        head, model, rest = asking.read_text().partition(
            "from scripts.annotate.openai_model import OpenAIModel\n"
        )
        first, _, after = rest.partition(")\n")
        asking.write_text(f"{head}{first})\n{model}{after}")


def test_another_name_of_a_file_with_the_same_questions_keeps_paid_answers(root):
    before = key()
    rename(root, "prompt_answers", "answers")
    assert (
        "from scripts.annotate.answers import"
        in (root / "scripts/annotate/openai_text.py").read_text()
    )
    assert key() == before
    rename(root, "openai_text", "asking")
    assert key(backend="scripts.annotate.asking:OpenAISubject") == before


def test_another_question_or_way_of_reading_an_answer_asks_again(root):
    before, directions = key(), key(DIRECTION)
    assert key(question="What is it that should move?") != before
    assert key(weights={"api": "gpt-4o-mini"}) != before
    assert key(backend="scripts.annotate.openai_text:OpenAIDirection") != before
    edit(root / ASKED, "len(name) > 60", "len(name) > 61")
    assert key() != before
    edit(root / ASKED, "len(name) > 61", "len(name) > 60")
    assert key() == before
    edit(root / ASKED, "Extract verbs", "Extract all verbs")
    assert key(DIRECTION) != directions


def test_another_way_of_sending_estimating_or_naming_costs_nothing_again(root):
    before = key()
    edit(root / ASKED, '"""Return the subject', '"""Return what is the subject')
    edit(root / "scripts/annotate/openai_model.py", "_HOPELESS = 20", "_HOPELESS = 30")
    edit(root / "scripts/annotate/token_costs.py", "len(run) / 3", "len(run) / 2")
    edit(root / "scripts/annotate/annotate_texts.py", "declared=0", "declared=1")
    assert key(name="renamed", service={"mode": "batch"}) == before


def test_of_a_model_on_this_machine_its_script_and_its_weights_decide(root, tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"one")
    entry = {"name": "local", "backend": "scripts.annotate.chat_text:ChatSubject"}
    entry |= {"weights": {"path": str(weights)}, "question": "What moves?"}
    before = key(entry)
    assert key(entry, question="Who moves?") != before
    weights.write_bytes(b"two")
    other = key(entry)
    assert other != before
    edit(root / "scripts/annotate/text_annotations.py", "subject or None", "subject")
    assert key(entry) != other
    # What decodes pictures decides nothing of a text.
    changed = key(entry)
    (root / "scripts/common/video.py").write_text("DIFFERENT = 1\n")
    assert key(entry) == changed


def test_another_subject_prompt_asks_again_and_the_same_one_does_not(server, tmp_path):
    server.answer = lambda text: "Cat"
    shard = shard_of(tmp_path, TEXTS[:3])
    annotator = annotator_of(server, tmp_path, 9.0, SUBJECT, price=PRICE)
    assert ask(shard, annotator).kept == 3
    questions = {body["messages"][0]["content"] for _, body in server.requests}
    assert questions == {"What is to move?"}
    ask(shard, replace(annotator, entry=SUBJECT | {"name": "renamed"}))
    assert len(server.requests) == 3
    ask(shard, replace(annotator, entry=SUBJECT | {"question": "What moves?"}))
    assert len(server.requests) == 6


def test_what_was_paid_is_on_disk_before_its_batch_is_forgotten(server, tmp_path, monkeypatch):
    annotator = annotator_of(server, tmp_path, 9.0, price=PRICE, batch_requests=2)
    kept = {}
    forget = Batches._forget

    def note(batches, flight):
        kept[flight.tag] = (finished_items(annotator.folder("00000"), "uuid"), flight.ids)
        return forget(batches, flight)

    monkeypatch.setattr(Batches, "_forget", note)
    assert ask(shard_of(tmp_path, TEXTS[:6]), annotator).kept == 6
    assert len(kept) == 3
    assert all(set(ids) <= done for done, ids in kept.values())
