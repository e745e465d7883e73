"""What the stage's rules take from the configuration."""

from types import SimpleNamespace

import pytest

from scripts.annotate.graph import EMBEDDINGS, PICTURES, TEXTS, AnnotateGraph
from scripts.commands.check import read_configuration
from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.study import Study
from scripts.demo.prompts import image_ideas
from scripts.publish.graph import PublishGraph

DEMO = ROOT / "config/demo.yaml"
SHARD = {"text_nsfw": "results/annotations/text_nsfw/{shard}.parquet"}


def graph(*configurations, released=(), sheets=None, **annotators):
    config = read_configuration(*configurations)
    config["annotate"]["annotators"] |= annotators
    return AnnotateGraph(Study(config, sheets or read_sheets(ROOT / "config"), released))


def pictures(sheets):
    return graph(sheets=sheets).entries(PICTURES)(None)


def test_the_papers_annotators_are_asked_or_work_here():
    paper = graph()
    assert set(paper.asked) == {"text_embedding", "subject", "direction"}
    assert (paper.texts, paper.pictures) == (["text_nsfw"], list(PICTURES))
    assert paper.outputs(paper.texts) == SHARD
    assert paper.gpus(["text_nsfw", "subject"]) == 1
    assert paper.gpus(["subject", "subjects"]) == 0
    assert paper.language_models == 0
    local = graph(subject="qwen2_5_7b_subject", direction="qwen2_5_7b_direction")
    assert (local.language_models, local.asked) == (2, ["text_embedding"])


def test_the_demos_annotators_are_asked_nothing_and_make_vectors_apart():
    demo = graph(DEMO)
    assert (demo.asked, demo.texts) == ([], list(TEXTS))
    assert demo.gpus([*demo.annotators, "subjects"]) == 0
    for made, name in ((demo.texts, "text_embedding"), (demo.pictures, "image_embedding")):
        assert demo.outputs(made)["vectors"] == demo.vectors(name)  # of all shards, in one job
    assert not set(demo.vectors("text_embedding")) & set(demo.tables("text_embedding"))


@pytest.mark.parametrize("released", [["subject", "image_embedding"], [*TEXTS, *PICTURES]])
def test_what_was_released_is_neither_made_nor_paid_for(released):
    made = graph(released=released)
    assert not set(released) & {*made.asked, *made.texts, *made.pictures}
    assert {*made.asked, *made.texts, *made.pictures, *released} == {*TEXTS, *PICTURES}
    publish = PublishGraph(made.study, made)
    words = publish.annotators(None)
    assert {name for name in words if "released" in words[name]} == set(released)


def test_the_subject_prompt_decides_those_that_ask_it_and_no_others():
    paper = graph()
    prompt = paper.settings["subject_prompt"]
    assert paper.entries_of(SimpleNamespace(annotation="subject"))["subject"]["question"] == prompt
    assert graph(subject="qwen2_5_7b_subject").entry("subject")["question"] == prompt
    others = [name for name in paper.makers if name != "subject"]
    assert not any("question" in paper.entry(name) for name in others)
    assert "question" not in graph(subject="spacy_subject").entry("subject")


def test_a_budget_is_that_of_its_annotation():
    paper = graph()
    wildcards = SimpleNamespace(annotation="direction")
    budgets = paper.settings["budget_usd"]
    assert paper.terms_of(wildcards, None)["budget_usd"] == budgets["direction"]
    assert {
        name: bill["terms"]["budget_usd"] for name, bill in paper.bills(None, None).items()
    } == {name: budgets[name] for name in paper.asked}
    merging = SimpleNamespace()
    assert paper.entries_of(merging)["subjects"]["name"] == "all_minilm_l6_v2"
    assert paper.terms_of(merging, None) == {"service": None, "budget_usd": budgets["subjects"]}
    assert paper.terms_of(wildcards, None)["service"]["mode"] == "batch"


def test_what_comes_by_batches_is_a_job_for_its_column_and_the_rest_one_for_each_shard():
    paper = graph()
    assert paper.asked_by("fetch_batches") == "subject|direction"
    assert paper.asked_by("ask_endpoint", vectors=True) == "text_embedding"
    assert paper.asked_by("ask_endpoint") == paper.asked_by("fetch_batches", vectors=True) == "none"
    assert paper.rule_of("subject") == "fetch_batches"
    assert paper.rule_of("text_embedding") == "ask_endpoint"
    assert paper.sends_subjects == 0


def test_the_budgets_cover_the_papers_prompts(monkeypatch):
    """1,701,935 of them (Table 1), as long as the demo's; see the comments in config.yaml."""
    monkeypatch.setenv("OPENAI_API_KEY", "made-up-key")
    texts = {str(number): idea.text for number, idea in enumerate(image_ideas(400, seed=3))}
    for annotation, bill in graph().bills(None, None).items():
        question = {key: bill["entry"][key] for key in ("question",) if key in bill["entry"]}
        model = load_backend(bill["entry"], service=bill["terms"]["service"], **question)
        budget = bill["terms"]["budget_usd"]
        usd = sum(model.estimate(texts).values()) / len(texts) * 1_701_935
        assert 0.3 * budget < usd < 0.9 * budget, annotation


def test_a_label_decides_nothing_and_a_revision_does():
    sheets = read_sheets(ROOT / "config")
    before = pictures(sheets)
    clip = sheets["annotators"]["clip_vit_b_32"]
    relabelled = sheets | {
        "annotators": sheets["annotators"] | {"clip_vit_b_32": clip | {"label": "x"}}
    }
    assert pictures(relabelled) == before
    weights = clip["weights"] | {"revision": "0" * 40}
    revised = sheets | {
        "annotators": sheets["annotators"] | {"clip_vit_b_32": clip | {"weights": weights}}
    }
    after = pictures(revised)
    assert after["image_nsfw"] == before["image_nsfw"]
    assert after["image_embedding"] != before["image_embedding"]


def test_packed_embeddings_are_of_the_vectors_of_their_modality():
    demo = graph(DEMO)
    publish = PublishGraph(demo.study, demo)
    for modality, annotation in EMBEDDINGS.items():
        vectors = publish.vectors(SimpleNamespace(modality=modality))
        assert vectors == [f"results/embeddings/{annotation}/0000{n}.parquet" for n in range(2)]
    assert publish.packed_shards == [
        f"results/release/data/Full-0000{n}-of-00002.parquet" for n in range(2)
    ]


def test_a_job_on_this_machine_has_a_shard_or_all():
    """Of the paper's prompts a shard is work enough; each of the demo's jobs would be imports."""
    each, file = graph(), "results/images/{shard}.tar"
    assert (each.of_job(file), each.log("logs/annotate")) == (file, "logs/annotate/{shard}")
    demo = graph(DEMO)
    assert (demo.of_job(file), demo.log("logs/x")) == (demo.study.image_tars, "logs/x")
