"""Build the gallery: a static site to search prompts and to compare what was made of them."""

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.analyse.shown_prompts import UNSAFE_TEXT, open_shards
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import SAFE
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.shards import Shards
from scripts.common.tables import read_table
from scripts.publish.gallery.data_files import FILES, ROWS, Blocks, Terms, words, write_data
from scripts.publish.gallery.verdicts import Verdict, read_verdicts
from scripts.publish.pack_dataset import refuse_empty
from scripts.trace.faiss_products import FaissProducts
from scripts.trace.search import find_top_matches

TYPED = ("camera", "motion", "guidance_scale", "aspect_ratio", "fps")
"""What users typed that a page offers to choose; negative prompts are searched by their words."""
CHOICES = 200
"""Values of a field that a page offers, the most frequent ones; any other can be typed."""
BATCH = 1_000
_BESIDE = re.compile(r"results/(videos/[\w.-]+/\d+\.tar)")
"""Tars that lie beside the gallery, so that its server can give the part that a video is."""

Entry = dict[str, Any]


def build_gallery(
    packed: Sequence[Path],
    embeddings: Path,
    parameters: Path | None,
    scores: Sequence[Path],
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    matches: Sequence[Path],
    leaderboard: Path,
    site: Sequence[Path],
    gallery: Path,
    *,
    videos: Mapping[str, Shards],
    labels: Mapping[str, Mapping[str, str]],
    banner: str,
    copied: int,
    nearest: int,
    threads: int = 1,
) -> Counts:
    """Write the site: its pages, its data in small files, and the videos of some prompts.

    Rows have the numbers of the packed data set. In memory are a batch of rows, and of all rows
    their terms (8 bytes each), the indexes of videos, and what was said of videos.

    Args:
        packed: tables of ``PACKED_DATASET``, in the order of their shards.
        embeddings: table of ``packed_embeddings`` of the texts, row by row as ``packed``.
        parameters: table of ``PARAMETERS``, if there is one.
        scores: tables of ``SCORES``, of every generator.
        frame_scores: tables of ``FRAME_SCORES``.
        class_scores: tables of ``CLASS_SCORES``.
        matches: tables of ``MATCHES``, of every tracer.
        leaderboard: the leaderboard as a page.
        site: pages, style and program, which are the same for every study.
        gallery: the folder to make.
        videos: generator -> its videos.
        labels: ``generators``, ``dimensions`` and ``judges`` (detectors and tracers): entry -> name.
        banner: a line for every page; empty for none.
        copied: prompts of which the gallery gets the videos: those with the most generators first,
            and among them what was scored. Others are read from their tars, which needs a server.
        nearest: how many prompts are named as the nearest ones of each that has copies.

    Returns:
        Counts of prompts.

    Raises:
        UserError: the data set is empty, or a tar does not hold what its index says.
    """
    shards = [read_table(path, columns=["UUID"])["UUID"].to_pylist() for path in packed]
    uuids = [uuid for shard in shards for uuid in shard]
    refuse_empty(len(uuids), packed[0])
    said = read_verdicts(scores, frame_scores, class_scores, matches)
    order = _most_compared(uuids, videos, said)
    near = _nearest(order[:copied], embeddings, nearest, threads)
    terms, compared = Terms(), 0
    with Blocks(gallery / "data") as blocks:
        for number, row in enumerate(
            progress(_rows(packed, parameters, uuids), "rows", len(uuids))
        ):
            uuid = row["UUID"]
            there = [name for name in videos if uuid in videos[name]]
            entry = _entry(row, {name: said.get(uuid, {}).get(name, []) for name in there})
            if number in near:
                entry["nearest"] = near[number]
                files: list = [
                    _copy(videos[name].read(uuid), gallery, name, number) for name in there
                ]
            else:
                files = [_place(videos[name].rows[uuid]) for name in there]
            entry["videos"] = dict(zip(there, files, strict=True))
            is_compared = len(there) == len(videos)
            compared += is_compared
            terms.add(number, _terms(entry, is_compared))
            blocks.add(entry, base64.b64encode(row["Image_Prompt"]["bytes"]).decode())
    starts = np.cumsum([0, *map(len, shards)]).tolist()
    firsts = [uuid.replace("-", "")[:12] for uuid in uuids[::ROWS]]
    write_data(gallery / "data", "uuids", {"starts": starts, "firsts": firsts})
    facts = {"banner": banner, "prompts": len(uuids), "compared": compared, "copied": len(near)}
    offered = (*TYPED, "subject", "direction", "fooled")
    choices = {field: terms.counts(field)[:CHOICES] for field in offered}
    facts |= {"rows": ROWS, "labels": labels, "choices": choices}
    write_data(gallery / "data", "manifest", facts | {"terms": terms.write(gallery / "data")})
    _write_site(gallery, site, leaderboard, banner)
    return Counts(kept=len(uuids))


def _most_compared(
    uuids: Sequence[str], videos: Mapping[str, Shards], said: Collection[str]
) -> list[int]:
    """Return the numbers of rows with videos: of most generators first, then what was scored."""
    known: dict[str, int] = {}
    for shards in videos.values():
        for uuid in shards.uuids:
            known[uuid] = known.get(uuid, 0) + 1
    found = [number for number, uuid in enumerate(uuids) if uuid in known]
    rank = {number: (-known[uuids[number]], uuids[number] not in said) for number in found}
    return sorted(found, key=rank.__getitem__)


def _nearest(
    rows: Collection[int], embeddings: Path, number: int, threads: int
) -> dict[int, list[int]]:
    """Return the rows whose texts are nearest to each of some rows by cosine, nearest first."""
    wanted = np.array(sorted(rows), np.int64)
    if not len(wanted):
        return {}
    queries, start = [], 0
    for block in _vectors(embeddings):
        queries.append(block[wanted[(wanted >= start) & (wanted < start + len(block))] - start])
        start += len(block)
    found = find_top_matches(
        np.concatenate(queries),
        _vectors(embeddings),
        top_k=number + 1,
        products=FaissProducts(threads),
    )
    return {
        row: [int(other) for score, other in zip(*pair, strict=True) if score > 0 and other != row]
        for row, *pair in zip(wanted.tolist(), *found, strict=True)
    }


def _vectors(embeddings: Path) -> Iterator[np.ndarray]:
    """Yield the embeddings in blocks, float32 (rows, dimension); a missing one is zeros."""
    file = pq.ParquetFile(embeddings)
    name = file.schema_arrow.names[1]
    for batch in file.iter_batches(2**16, columns=[name]):
        column = batch.column(0)
        block = np.zeros((len(column), column.type.list_size), np.float32)
        block[column.is_valid().to_numpy(zero_copy_only=False)] = (
            column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
        )
        yield block


def _rows(packed: Iterable[Path], parameters: Path | None, uuids: list[str]) -> Iterator[Entry]:
    """Yield the rows of the data set, each with what was typed beside its prompt."""
    typed = PARAMETERS.empty_table() if parameters is None else read_table(parameters, PARAMETERS)
    typed = typed.take(pc.index_in(pa.array(uuids), typed["UUID"]))
    number = 0
    for path in packed:
        for batch in pq.ParquetFile(path).iter_batches(BATCH):
            beside = typed.slice(number, len(batch)).to_pylist()
            for row, more in zip(batch.to_pylist(), beside, strict=True):
                known = {name: value for name, value in more.items() if value is not None}
                known.pop("UUID", None)
                yield row | {"typed": known}
            number += len(batch)


def _entry(row: Entry, said: Mapping[str, Sequence[Verdict]]) -> Entry:
    """Return what a page shows of a row."""
    score = row["Text_NSFW"]
    # What nobody could say of is taken for unsafe, as in figures.
    unsafe = row["Image_NSFW"] != SAFE or score is None or not score < UNSAFE_TEXT
    directions = list(filter(None, (row["Direction"] or "").split(",")))
    return {
        "uuid": row["UUID"],
        "text": row["Text_Prompt"],
        "date": row["Timestamp"],
        "subject": row["Subject"],
        "directions": [each.strip() for each in directions],
        "unsafe": unsafe,
        "typed": row["typed"],
        "said": said,
        "nearest": [],
    }


def _terms(entry: Entry, is_compared: bool) -> Iterator[str]:
    """Yield what a row is found by: words, and values of fields as ``field:value``."""
    typed = entry["typed"]
    yield from words(entry["text"])
    yield from (f"negative:{word}" for word in words(typed.get("negative_prompt", "")))
    yield f"date:{entry['date'][:10]}"
    yield from ["videos:all"] * is_compared
    yield from (f"videos:{name}" for name in entry["videos"])
    yield from (f"subject:{entry['subject'].lower()}" for _ in range(bool(entry["subject"])))
    yield from (f"direction:{direction.lower()}" for direction in entry["directions"])
    for name in TYPED:
        value = typed.get(name, [])
        values = value if isinstance(value, list) else [value]
        yield from (
            f"{name}:{one:g}" if isinstance(one, float) else f"{name}:{one}" for one in values
        )
    for verdicts in entry["said"].values():
        yield from (f"fooled:{one.judge}" for one in verdicts if one.fooled)


def _copy(data: bytes, gallery: Path, generator: str, number: int) -> str:
    """Write a video, and return its path from the pages. Nothing of a user's is in its name."""
    file = gallery / "videos" / generator / str(number // FILES) / f"{number}.mp4"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file.relative_to(gallery).as_posix()


def _place(place: Mapping[str, Any]) -> list | None:
    """Return where a video lies in its tar, seen from the pages; None if no server shows that."""
    beside = _BESIDE.fullmatch(place["tar"])
    return [f"../{beside[1]}", place["offset"], place["size_bytes"]] if beside else None


def _write_site(gallery: Path, site: Iterable[Path], leaderboard: Path, banner: str) -> None:
    """Copy style and program, and set pages into the frame that all share, with what has its place."""
    table = re.search(r"<table>.*(?=</body>)", leaderboard.read_text(encoding="utf-8"), re.S)
    files = {path.name: path.read_text(encoding="utf-8") for path in site}
    frame = files.pop("frame.html")
    for name, text in files.items():
        if name.endswith(".html"):
            fillings = {
                "content": text.strip(),
                "page": "leaderboard" if name == "index.html" else Path(name).stem,
                "banner": f'<p class="banner">{escape(banner)}</p>' if banner else "",
                "leaderboard": table[0] if table else "",
            }
            text = frame.replace(f'href="{name}"', f'href="{name}" aria-current="page"')
            for place, filling in fillings.items():
                text = text.replace(f"<!-- {place} -->", filling)
        (gallery / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_job(build_gallery, snakemake, videos=open_shards(snakemake.params.videos))
