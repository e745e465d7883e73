"""Which models there are, and that none learns from the generator on which it is tested."""

from types import SimpleNamespace

import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.study import Study
from scripts.split.graph import SplitGraph
from scripts.trace.graph import TraceGraph


def graph_of(generators=("pika", "svd", "cogvideox"), weight=0, **changes):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["generate"] |= {"generators": list(generators), "shards": 3}
    config["curate"]["shards"] = 2
    config["trace"] |= {"reference_shards": 4} | changes
    config["trace"]["score_normalisation"]["weight"] = weight
    study = Study.of(config)
    return TraceGraph(study, SplitGraph(study))


def model(name):
    return SimpleNamespace(model=name)


def generators_behind(frames):
    return {path.split("/")[3] for path in frames}


def generators():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return config["generate"]["generators"]


def test_no_model_across_domains_learns_from_the_frames_on_which_it_is_tested():
    graph = graph_of(generators())
    tested = [row for row in graph.rows if row[0] == "cosface_cross_domain"]
    assert [generator for _, generator, _ in tested] == generators()
    for _, generator, name in tested:
        files = graph.training_frames(model(name))
        others = [other for other in generators() if other != generator]
        assert files["frames"] == [
            f"results/trace/frames/{other}/{shard}.tar"
            for other in others
            for shard in graph.study.shards_of(other)
        ]
        assert files["frame_indexes"] == [
            path.replace(".tar", ".parquet") for path in files["frames"]
        ]
        assert graph.held_out(name) == generator


def test_the_model_of_the_same_domain_learns_from_all():
    graph = graph_of()
    files = graph.training_frames(model("cosface_same_domain"))
    assert generators_behind(files["frames"]) == {"pika", "svd", "cogvideox"}
    made = [len(graph.study.shards_of(name)) for name in ("svd", "cogvideox")]
    assert len(files["frames"]) == 2 + sum(made)  # Pika's videos lie in the prompts' shards
    assert {name for row, _, name in graph.rows if row == "cosface_same_domain"} == {
        "cosface_same_domain"
    }


def test_every_tracer_has_a_row_for_every_generator_and_one_without_weights_none():
    graph = graph_of()
    assert "asl" in graph.settings["tracers"] and "asl" not in graph.models
    rows = [*graph.public, "cosface_same_domain", "cosface_cross_domain"]
    assert [(row, generator) for row, generator, _ in graph.rows] == [
        (row, generator) for row in rows for generator in graph.study.generators
    ]
    assert {name for _, _, name in graph.rows} == set(graph.models)


def test_one_generator_has_no_other_domain():
    graph = graph_of(["pika"])
    assert graph.trained == ["cosface_same_domain"]
    assert {row for row, _, _ in graph.rows if row not in graph.public} == {"cosface_same_domain"}


def made(graph):
    """Return every table of features that a rule makes."""
    queries = graph.query_tables(graph.described)
    jobs = graph.public if graph.settings["jobs"] == "each" else ["all"]
    tables = [path.format(model=name) for name in jobs for path in queries]
    tables += graph.query_tables(graph.trained)
    for shard in graph.reference_shards:
        tables += [path.format(shard=shard) for path in graph.reference_tables(graph.models)]
    return tables


@pytest.mark.parametrize(("weight", "jobs"), [(0, "shared"), (1, "shared"), (1, "each")])
def test_what_is_searched_is_what_is_described_and_once(weight, jobs):
    graph = graph_of(weight=weight, jobs=jobs)
    searched = [
        path
        for name in graph.models
        for paths in graph.searches(model(name)).values()
        for path in paths
    ]
    assert sorted(searched) == sorted(made(graph)) == sorted(set(searched))
    assert any("/background/" in path for path in searched) == bool(weight)


def test_a_model_across_domains_is_asked_for_its_own_generator_only():
    graph = graph_of()
    asked = graph.searches(model("cosface_cross_domain_svd"))["queries"]
    assert {path.split("/")[4] for path in asked} == {"svd", "svd-along", "distractors"}
    asked = graph.searches(model("cosface_same_domain"))["queries"]
    assert {path.split("/")[4] for path in asked} == {"pika", "svd", "cogvideox", "distractors"} | {
        "pika-along",
        "svd-along",
        "cogvideox-along",
    }


def test_jobs_wait_for_all_that_they_read():
    graph = graph_of(weight=1)
    for sets in (graph.query_sets, ["references"]):
        files = graph.picture_files(sets)
        for source in graph.pictures(sets).values():
            for kind in source.keys() - {"max_images", "part", "seed"}:
                paths = source[kind]
                assert set([paths] if isinstance(paths, str) else paths) <= set(files)
    references = graph.picture_files(["references"])
    assert set(graph.study.image_tars) < set(references)
    assert set(graph.study.source_tars(graph.split.outside("references"))) < set(references)


def test_a_trained_model_describes_by_its_own_checkpoint():
    graph = graph_of()
    for name, entry in graph.trained_entries.items():
        assert entry["weights"] == {"path": f"results/trace/checkpoints/{name}.safetensors"}
        assert entry["backend"] == graph.cosface["vit_base"]["backend"]
        assert entry["settings"] == graph.cosface["vit_base"]["settings"]


def test_two_trained_tracers_have_their_own_models_rows_networks_and_recipes():
    graph, alone = graph_of(cosface=["vit_base", "latent_map"]), graph_of()
    second = [name for name in graph.trained if name not in alone.trained]
    assert graph.trained == [*alone.trained, *second]  # the first one's are called as ever
    assert second == ["latent_map_cosface_same_domain"] + [
        f"latent_map_cosface_cross_domain_{name}" for name in graph.study.generators
    ]
    assert [graph.held_out(name) for name in second] == ["", *graph.study.generators]
    described = {(row, generator): name for row, generator, name in graph.rows if name in second}
    for generator in graph.study.generators:
        assert described["latent_map_cosface_same_domain", generator] == second[0]
        across = described["latent_map_cosface_cross_domain", generator]
        assert graph.held_out(across) == generator
        assert generator not in generators_behind(graph.training_frames(model(across))["frames"])
        queries = graph.searches(model(across))["queries"]
        assert {path.split("/")[4] for path in queries} == {
            generator, f"{generator}-along", "distractors"
        }  # fmt: skip
    assert graph.rows[: len(alone.rows)] == alone.rows
    sheet = graph.study.sheets["tracers"]
    lots = {lot["model"]: lot for lot in graph_of(cosface=["vit_base", "latent_map"], jobs="together").training.arguments(model(""))}  # fmt: skip
    assert set(lots) == set(graph.trained) == set(graph.trained_entries)
    for name, entry in graph.trained_entries.items():
        own = sheet["latent_map" if name in second else "vit_base"]
        assert (entry["backend"], entry["settings"]) == (own["backend"], own["settings"])
        assert entry["weights"] == {"path": f"results/trace/checkpoints/{name}.safetensors"}
        told = lots[name]["entry"]
        assert (told["training"], told["settings"]) == (own["training"], own["settings"])
    assert graph.trained_backends == sorted(
        {sheet[n]["backend"] for n in ("vit_base", "latent_map")}
    )
    assert (alone.training_frame["side"], graph.training_frame["side"]) == (224, 256)
    assert graph.training_frame | {"side": 224} == alone.training_frame
