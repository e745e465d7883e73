"""The gallery of 1.7 million made-up prompts in a headless browser: first pages and searches.

From disk and from Python's plain static server, each in a fresh browser without a cache, beside one
file of all prompts that a page loads and looks through. ``BENCH_GALLERY`` is another number of
prompts, ``BENCH_GALLERY_FOLDER`` a folder to keep the gallery in (and to use it again).
"""

import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import uuid
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa

from scripts.common.code import ROOT
from scripts.common.schemas.annotate import PACKED_DATASET, packed_embeddings
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.tables import write_table
from scripts.publish.build_gallery import build_gallery
from scripts.publish.gallery.graph import SITE
from tests.publish.made_up_gallery import LABELS, videos_of

PROMPTS = int(float(os.environ.get("BENCH_GALLERY", 1_700_000)))
SHARDS = 17
WORDS = 300_000
RUNS = 3
SEARCHES = {
    "first page": "",
    "a frequent word": "words=w1",
    "a rare word": "words=w20000",
    "three words": "words=w3 w5 w11",
    "a beginning": "words=w123*",
    "subject": "subject=subject 7",
    "direction": "direction=walk",
    "a month": "from=2024-02-01&to=2024-02-29",
    "all days": "from=2023-01-01&to=2025-01-01",
    "a typed parameter": "motion=3",
    "words, subject, direction, a year and a parameter": "words=w1 w2&subject=subject 1&direction=walk&from=2023-07-01&to=2024-06-30&motion=3",
}


def run() -> dict:
    """Measure, print what was found, and return it."""
    from playwright.sync_api import sync_playwright

    kept = os.environ.get("BENCH_GALLERY_FOLDER")
    folder = Path(kept or tempfile.mkdtemp())
    seconds = {}
    if not (folder / "results/gallery/prompt.html").exists():
        seconds = make(folder)
    gallery = folder / "results/gallery"
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder / "results"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    roots = {"disk": gallery.as_uri(), "server": f"http://127.0.0.1:{server.server_port}/gallery"}
    found: dict[str, dict[str, float]] = {}
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium)
        for place, root in roots.items():
            pages = {"leaderboard": "index.html"}
            pages |= {name: f"search.html#{query}" for name, query in SEARCHES.items()}
            pages["a prompt by its UUID"] = f"prompt.html#{(folder / 'uuid.txt').read_text()}"
            found[place] = {
                name: statistics.median(load(browser, f"{root}/{page}") for _ in range(RUNS))
                for name, page in pages.items()
            }
            for name, taken in found[place].items():
                print(f"{place:6} {name:50} {taken:6.2f} s")
        whole = load(browser, (folder / "whole.html").as_uri())
        browser.close()
    server.shutdown()
    if not kept:
        shutil.rmtree(folder)
    worst = max(max(times.values()) for times in found.values())
    print(f"one file of all prompts, one word: {whole:.2f} s")
    return {
        "ours": worst, "baseline": whole, "ratio": whole / worst, "unit": "seconds",
        "what": f"the slowest of {len(found['disk'])} pages of a gallery of {PROMPTS:,} prompts, from disk "
        "and from a plain server; beside one file of all prompts that a page looks through",
        "pages": found, **seconds,
    }  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    """A plain static server that writes nothing."""

    def log_message(self, *message: object) -> None:
        """Write nothing."""


def load(browser, address: str) -> float:
    """Return the seconds until a page shows what it is to show, in a browser without a cache."""
    context = browser.new_context()
    page = context.new_page()
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(address, wait_until="commit")
    shown = "document.body?.dataset.shown || document.getElementById('facts')?.textContent"
    while True:
        try:
            if page.evaluate(shown):
                break
        except Exception:  # the page is on its way
            assert time.perf_counter() - begin < 120
        time.sleep(0.01)
    taken = time.perf_counter() - begin
    context.close()
    return taken


def make(folder: Path) -> dict[str, float]:
    """Make the tables and the gallery; return what that took."""
    random = np.random.default_rng(0)
    results = folder / "results"
    ids = sorted(uuid.UUID(bytes=random.bytes(16), version=5) for _ in range(PROMPTS))
    shards = [[str(one) for one in ids if one.int % SHARDS == shard] for shard in range(SHARDS)]
    ids = [one for shard in shards for one in shard]
    (folder / "uuid.txt").write_text(ids[len(ids) // 3])
    picture = random.bytes(1_000)
    packed, texts = [], []
    for shard, mine in enumerate(shards):
        number = len(mine)
        chosen = random.zipf(1.1, (number, 12)) % WORDS
        mine_texts = [" ".join(f"w{word}" for word in row) for row in chosen.tolist()]
        texts += mine_texts
        days = np.datetime64("2023-07-01") + random.integers(0, 480, number)
        subjects = random.zipf(1.3, number) % 5_000
        table = pa.table({
            "UUID": mine, "Text_Prompt": mine_texts,
            "Image_Prompt": [{"bytes": picture, "path": "x.jpg"}] * number,
            "Subject": [f"Subject {one}" for one in subjects.tolist()],
            "Timestamp": [f"{day} 12:00:00" for day in days.astype(str).tolist()],
            "Text_NSFW": np.full(number, 0.1, np.float32), "Image_NSFW": ["Safe"] * number,
            "UserID": pa.nulls(number, pa.string()),
            "Direction": [("walk", "walk, turn", "zoom")[one % 3] for one in range(number)],
        })  # fmt: skip
        packed.append(results / f"dataset/data/Full-{shard:05d}.parquet")
        write_table(table, packed[-1], PACKED_DATASET)
    vectors = random.normal(size=(PROMPTS, 8)).astype(np.float16)
    kind = packed_embeddings("Text", 8)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=kind.field(1).type)
    embeddings = results / "dataset/Embedding/Full_Text_Embedding.parquet"
    write_table(pa.table([pa.array(ids), flat], names=kind.names), embeddings, kind)
    parameters = results / "dataset/parameters.parquet"
    typed = [{"UUID": one, "motion": place % 5, "camera": ["zoom in"] * (place % 7 == 0)}
             for place, one in enumerate(ids)]  # fmt: skip
    write_table(typed, parameters, PARAMETERS)
    leaderboard = results / "leaderboard.html"
    leaderboard.write_text("<body><table><tr><td>0.5</td></tr></table></body>")
    whole = "const all = " + json.dumps(texts) + ";"
    (folder / "whole.js").write_text(whole)
    (folder / "whole.html").write_text(
        "<!doctype html><body><script src=whole.js></script><script>const found = all.filter("
        "(text) => /\\bw20000\\b/.test(text)); document.body.dataset.shown = `${found.length} found`;</script>"
    )
    del texts, typed, whole
    (results / "videos").mkdir()
    os.chdir(folder)
    begin = time.perf_counter()
    build_gallery(
        [path.relative_to(folder) for path in packed], embeddings, parameters, [], [], [], [], leaderboard,
        site=[path for path in (ROOT / SITE).iterdir() if path.suffix in (".html", ".css", ".js")],
        gallery=results / "gallery", videos={"pika": videos_of(Path("results"), "pika")},
        labels=LABELS, banner="made up", copied=10, nearest=8,
    )  # fmt: skip
    os.chdir(ROOT)
    taken = time.perf_counter() - begin
    files = [path.stat().st_size for path in (results / "gallery").rglob("*") if path.is_file()]
    print(f"made in {taken:,.0f} s: {len(files):,} files, {sum(files) / 1e9:.2f} GB")
    return {"make_seconds": taken, "files": len(files), "gigabytes": sum(files) / 1e9}
