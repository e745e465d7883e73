"""Tell what is left to do and what it takes: jobs, hours, disk, download and money for each stage.

``make plan TARGET=results/tables/table5.csv CONFIG=my.yaml``. The jobs are those that Snakemake plans;
where files from elsewhere are not there yet, it plans with stand-ins, as if nothing were done. Seconds
are those of finished jobs of the same kind (``benchmarks/`` of the working directory); of a video, those
measured on a GPU (``results/benchmarks/generate.json``); or those of config/costs.yaml and, of a video,
config/generators.yaml, which say of each where it was published, or that it is an estimate.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from scripts.commands.check import read_configuration, study_of
from scripts.commands.fetch import wanted
from scripts.common.code import ROOT
from scripts.common.configuration import read_yaml
from scripts.common.errors import UserError
from scripts.common.study import Study, indexes_of
from scripts.curate.release.released_layout import EVAL, released_files, splits_of
from scripts.generate.timings import Timing, find_timing
from scripts.trace.trained_models import trained_models

RELEASED = {"Full": 1_701_935, "Subset": 100_000, EVAL: 10_000}
"""Rows of the released splits, by its card."""
RELEASED_GB = {
    "data/Full": 13.4, "data/Subset": 0.8, "data/Eval": 0.08,
    "Embedding/Full": 12.3, "Embedding/Subset": 0.7, "Embedding/Eval": 0.06,
    "image_prompt_tar": 1000, "subset_image_prompt_tar": 69.6, "eval_image_prompt_tar": 6.5,
    "pika_videos_tar": 1000, "subset_videos_tar": 47, "eval_videos_tar": 4.7,
}  # fmt: skip
"""Sizes by the release's README; of videos and embeddings, the mean of one."""
SCRAPED = 1_700_000
"""Unique prompts, where an export has not been read yet."""

PIECES = 3.54
"""Pieces of 3 s of a real video: the paper has 354,486 of about 100,000 (Supplement 13)."""


@dataclass
class Cost:
    """What some jobs take."""

    jobs: int = 0
    gpu_h: float = 0.0
    cpu_h: float = 0.0
    disk_gb: float = 0.0
    sources: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Job:
    """A planned job: its rule, wildcards, and where Snakemake would note what it took."""

    rule: str
    wildcards: Mapping[str, str]
    benchmark: Path | None


def planned_jobs(targets: Sequence[str], configs: Sequence[Path], folder: Path) -> list[Job]:
    """Return the jobs that Snakemake would run in a folder.

    Raises:
        UserError: it cannot plan; its last words are told.
    """
    command = [sys.executable, "-m", "snakemake", *targets, "--dry-run", "--nolock"]
    command += ["--cores", "1", "--directory", str(folder.absolute()), "--snakefile"]
    command += [str(ROOT / "Snakefile")]
    if configs:
        command += ["--configfile", *(str(path.absolute()) for path in configs)]
    answer = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    said = answer.stdout + answer.stderr
    if answer.returncode:
        last = [line for line in answer.stderr.splitlines() if line.strip()][-1:]
        raise UserError(f"Snakemake cannot plan this: {''.join(last)}; try snakemake -n")
    jobs = []
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)*)", said, re.M):
        parts = dict(re.findall(r"^ {4}(wildcards|benchmark): (.*)$", body, re.M))
        pairs = [pair.split("=", 1) for pair in parts.get("wildcards", "").split(", ") if pair]
        note = Path(parts["benchmark"]) if "benchmark" in parts else None
        jobs.append(Job(rule, {key: value for key, value in pairs}, note))
    return jobs


def make_stand_ins(study: Study, folder: Path) -> None:
    """Put an empty file where each file from elsewhere is looked for."""
    files = []
    for entry in study.sheets["sources"].values():
        if "tar" in entry:
            files += [entry["tar"], *indexes_of([entry["tar"]])]
        files += [re.sub(r"\*+", "x", one) for one in entry.get("layout", {}).get("files", [])]
    if study.is_release:
        for one in _released(study):
            name = one.replace(
                "*", "00000-of-00001.parquet" if one.startswith("data/") else "_1.tar"
            )
            files.append(f"{study.config['release']['folder']}/{name}")
    else:
        files.append(f"{study.config['curate']['exports']}/export.html")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def _released(study: Study) -> list[str]:
    names = {name: study.fields("generators", name)["released"] for name in study.released}
    release = study.config["release"]
    return released_files(release, names, release["annotations"])


def items_of(study: Study, job: Job) -> float:
    """Return how many items of config/costs.yaml a job has, by the configuration.

    A job without the wildcard of a model, generator or shard does all of them.
    """
    config, name = study.config, job.rule
    prompts, chosen, evaluated = _prompts(study)
    curate, trace, split = config["curate"]["shards"], config["trace"], config["split"]["tip_trace"]
    queries = min(split["query_prompts"], max(0, chosen - 1))
    generators = len(study.generators)
    generator = job.wildcards.get("generator")
    whole = 1 / len(study.shards_of(generator)) if generator in study.generators else generators
    videos = (chosen + evaluated) * whole
    pictures = prompts / (curate if "shard" in job.wildcards else 1)
    indexed = split["max_references"] + queries
    references = indexed / trace["reference_shards"]
    public = [one for one in trace["tracers"] if "backend" in study.fields("tracers", one)]
    models = trained_models(trace["cosface"], study.generators)
    trained = 1 + (generators if generators > 1 else 0)

    def of_job(names: Iterable[str]) -> list[str]:
        return [job.wildcards["model"]] if "model" in job.wildcards else [*names]

    def asked(names: Iterable[str]) -> int:
        """Return how many pictures models describe: of the generators, or of the one not seen."""
        sets = [1 if name in models and models[name].held_out else generators for name in names]
        return sum(queries * number + split["max_distractors"] for number in sets)

    tested = config["split"]["tip_id"]["test_share"] * chosen
    dimensions = [
        one
        for one in config["evaluate"]["dimensions"]
        if "backend" in study.fields("dimensions", one)
    ]
    if name == "train_videomae":
        recipe = study.fields("detectors", config["detect"]["videomae"])["settings"]["training"]
        return recipe["iterations"] * recipe["batch_size"]
    if name == "train_cosface":
        recipes = [study.fields("tracers", models[one].entry)["training"] for one in of_job(models)]
        return sum(one["epochs"] * one["iterations"] * one["batch_size"] for one in recipes)
    if name == "index_source":
        entry = study.fields("sources", job.wildcards["source"])
        number = entry["layout"].get("items") or _indexed(study, job.wildcards["source"])
        share = PIECES if "segment_s" in entry["layout"] else 1 / 30
        return number * share / entry["layout"].get("shards", 1)
    return {
        "generate_videos": videos,
        "score_videos": evaluated * whole * len(dimensions),
        "score_frames": min(config["detect"]["max_per_class"], tested)
        * len(config["detect"]["detectors"]),
        "classify_videos": tested * trained,
        "extract_features": asked(of_job(public)),
        "extract_reference_features": references * len(of_job(public)),
        "extract_trained_features": asked(of_job(models)),
        "extract_trained_reference_features": references * len(of_job(models)),
        "match_queries": asked(of_job([*public, *models])) * indexed,
        "rerank_matches": asked(of_job([*public, *models])) * trace["top_k"],
        "decode_frames": videos * split["frames_per_video"],
        "list_members": (chosen + evaluated) / 2,
        "annotate_texts": pictures,
        "annotate_pictures": pictures,
        "fetch_videos": pictures,
        "extract_images": pictures,
    }.get(name, 0.0)


def _prompts(study: Study) -> tuple[int, int, int]:
    """Return how many prompts there are, are animated, and are in TIP-Eval."""
    config = study.config
    eval_of = config["split"]["tip_eval"]
    evaluated = eval_of["subjects"] * eval_of["prompts_per_subject"]
    if not study.is_release:
        return SCRAPED, config["generate"]["prompts"], evaluated
    splits = splits_of(config["release"])
    drawable = RELEASED["Subset" if "Subset" in splits else EVAL]
    return (
        max(RELEASED[split] for split in splits),
        min(config["generate"]["prompts"], drawable),
        min(evaluated, RELEASED[EVAL]),
    )


def _indexed(study: Study, source: str) -> int:
    """Return how many items an outside source has, by its role in the paper."""
    limits = study.config["split"]["tip_trace"]
    return {
        "reference_images": limits["max_references"],
        "distractor_images": limits["max_distractors"],
        "real_videos": 100_000,
    }.get(study.fields("sources", source)["role"], 0)


def price(study: Study, jobs: Sequence[Job]) -> dict[str, Cost]:
    """Return stage -> what its jobs take."""
    sheet = read_yaml(ROOT / "config" / "costs.yaml")
    stages = _stages()
    costs: dict[str, Cost] = defaultdict(Cost)
    measured = {kind: _measured(kind) for kind in {_kind(job) for job in jobs}}
    for job in jobs:
        cost, entry, items = costs[stages.get(job.rule, "other")], sheet.get(job.rule), 0.0
        cost.jobs += 1
        seconds, gpu = 20.0, False  # a job without items: about as long as its imports
        if entry:
            items = items_of(study, job)
            one = entry["seconds"]
            source = f"{job.rule}: {one:g} s for {entry['item']}; {entry['source']}"
            if job.rule == "generate_videos":
                one, source = _of_a_video(study, job.wildcards["generator"], entry["source"])
            seconds, gpu = one * items, entry["gpu"]
            cost.disk_gb += items * entry["mb"] / 1000
        if own := measured[_kind(job)]:
            seconds = own
            cost.sources.add(f"{job.rule}: measured here, {own:.0f} s a job")
        elif entry:
            cost.sources.add(source)
        cost.gpu_h += gpu * seconds / 3600
        cost.cpu_h += (not gpu) * seconds / 3600
    return costs


def _of_a_video(study: Study, generator: str, unnamed: str) -> tuple[float, str]:
    """Return the seconds of a generator's video, and where they are from."""
    fields, fast = study.fields("generators", generator), study.is_fast(generator)
    timing = find_timing(generator, fields, fast=fast) if study.config["generate"]["gpu"] else None
    if timing is None:
        source = fields.get("seconds_source", unnamed) + (", without its cache" if fast else "")
        timing = Timing(study.seconds_per_video(generator), source)
    told = f"generate_videos {generator}: {timing.seconds:g} s for a video; {timing.source}"
    return timing.seconds, told


def _kind(job: Job) -> Path:
    """Return the folder of benchmarks of jobs of a rule (and generator), or the rule's only one."""
    path = job.benchmark or Path("benchmarks", f"{job.rule}.jsonl")
    return path if path.parent == Path("benchmarks") else path.parent


def _measured(kind: Path) -> float | None:
    """Return the mean seconds of finished jobs of a kind, if there are any."""
    lines = [path.read_text().splitlines()[-1] for path in (kind, *kind.glob("*.jsonl"))
             if path.is_file()]  # fmt: skip
    return fmean(json.loads(line)["s"] for line in lines) if lines else None


def _stages() -> dict[str, str]:
    """Return rule -> the stage in whose file it stands."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"\s*(?:use rule \w+ as|rule) (\w+)", line):
                found[match[1]] = path.stem.partition("_")[0]
    return found


def download_gb(study: Study, targets: Sequence[str]) -> float:
    """Return the size of what is not there of the release and the sources, where it was stated."""
    total = 0.0
    if study.is_release and not Path(study.config["release"]["folder"]).is_dir():
        total += sum(
            gb
            for one in _released(study)
            for start, gb in RELEASED_GB.items()
            if one.startswith(start) and (not targets or start[:9] != "Embedding")
        )
    for (sheet, _), entry in wanted(study, targets).items():
        files = entry.get("layout", {}).get("files", [])
        if sheet == "sources" and not any(any(Path().glob(one)) for one in files):
            total += entry.get("fetch", {}).get("gb", 0)
    return total


def money_usd(study: Study, jobs: Sequence[Job]) -> float:
    """Return what may at most be spent on endpoints: the budgets of the columns left."""
    left = {
        job.wildcards.get("annotation")
        for job in jobs
        if job.rule in ("ask_embeddings", "ask_endpoint", "submit_batches")
    }
    return sum(study.config["annotate"]["budget_usd"].get(one, 0) for one in left if one)


def main() -> int:
    """Print the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--usd-per-gpu-hour", type=float, default=0.0)
    arguments = parser.parse_args()
    try:
        config = read_configuration(*arguments.config)
        study = study_of(config)
        try:
            jobs = planned_jobs(arguments.targets, arguments.config, Path())
        except UserError:
            print("files from elsewhere are missing: planned as if nothing were done yet")
            with tempfile.TemporaryDirectory() as folder:
                make_stand_ins(study, Path(folder))
                jobs = planned_jobs(arguments.targets, arguments.config, Path(folder))
        costs = price(study, jobs)
        gb, usd = download_gb(study, arguments.targets), money_usd(study, jobs)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'stage':10}{'jobs':>8}{'GPU h':>10}{'CPU h':>10}{'disk GB':>10}")
    whole = Cost()
    for stage, cost in costs.items():
        print(f"{stage:10}{cost.jobs:8,}{cost.gpu_h:10.1f}{cost.cpu_h:10.1f}{cost.disk_gb:10.1f}")
        whole = Cost(whole.jobs + cost.jobs, whole.gpu_h + cost.gpu_h, whole.cpu_h + cost.cpu_h,
                     whole.disk_gb + cost.disk_gb, whole.sources | cost.sources)  # fmt: skip
    print(f"{'all':10}{whole.jobs:8,}{whole.gpu_h:10.1f}{whole.cpu_h:10.1f}{whole.disk_gb:10.1f}")
    print(f"download: {gb:,.0f} GB and the weights ('make fetch PLAN=1' asks for exact sizes)")
    usd += whole.gpu_h * arguments.usd_per_gpu_hour
    print(f"money: at most {usd:,.2f} USD for endpoints (annotate.budget_usd) and GPUs "
          "(--usd-per-gpu-hour)")  # fmt: skip
    print("\n".join(["where the seconds are from:", *sorted(whole.sources)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
