"""Makes up the demo's channel: three export files, their videos, and what a parser must recover."""

import itertools
import json
import os
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from scripts.common.fingerprints import sha256_of
from scripts.common.identity import derived_seed
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.video import encode_video
from scripts.demo.channel import USERS, Channel, write_channel
from scripts.demo.export_html import Message, render_export
from scripts.demo.generations import Generation, plan_generations
from scripts.demo.motions import FPS, animate
from scripts.demo.prompts import SIZES, canvas
from scripts.demo.textures import drift_video, zoom_video
from scripts.demo.times import Locale

GUILD = "TIP-I2V demo (made up)"
TOPIC = "A made-up demo channel: the workflow invented every message, name and video in it."

ANIMATE = Channel(1125000000000000001, "demo-animate", Locale("en-US", -7))
CREATE = Channel(1125000000000000002, "demo-create", Locale("en-GB", 0))

CRF = 18
"""Pika's videos are compressed little; the procedural generators' lose more."""


def make_demo_channel(
    exports_folder: Path, *, generations: int, seed: int, threads: int = 1
) -> Counts:
    """Write the demo's exports, as DiscordChatExporter 2.43 with --media would.

    The span of time is the paper's (Section 3); the videos are H.264, 3 s at 24 frames per second,
    animated from photographs that packages carry. The same seed gives the same bytes.

    Args:
        exports_folder: gets ``demo-animate.html``, ``demo-create.html``,
            ``demo-create [part 2].html``, a media folder beside each channel's first file,
            ``media.sha256`` (one sorted line ``sha256  path`` per media file) and ``truth.jsonl``
            (one object per generation, in the order of the exports).
        generations: how many of the bot's messages have a video.
        seed: of all choices.
        threads: how many processes draw videos.

    Returns:
        Counts: kept are generations whose video is whole; the others are rejected by their fault.

    Raises:
        UserError: more generations than the lists hold; a package without its photographs.
    """
    exports_folder.mkdir(parents=True, exist_ok=True)
    counts = Counts(declared=generations)
    chance = random.Random(derived_seed(seed, "channels"))
    parts: dict[Channel, list[Generation]] = {ANIMATE: [], CREATE: []}
    for generation in plan_generations(generations, seed, USERS):
        animated = generation.kind != "text_to_video" and chance.random() < 0.6
        parts[ANIMATE if animated else CREATE].append(generation)
    truth: list[dict] = []
    with ProcessPoolExecutor(threads) as pool:
        drawn = pool.map(render_video, itertools.chain(*parts.values()))
        videos = progress(drawn, "demo channel: videos", generations)

        def store(generation: Generation, path: str) -> int:
            if generation.fault:
                counts.reject(generation.fault)
            else:
                counts.keep()
            return store_video(generation, next(videos), exports_folder / path)

        for channel, asked in parts.items():
            shutil.rmtree(exports_folder / channel.media_folder, ignore_errors=True)
            (exports_folder / channel.media_folder).mkdir()
            messages, found = write_channel(channel, asked, seed, store)
            _set_times(messages, exports_folder)
            truth += found
            middle = len(messages) // 2 if channel is CREATE else len(messages)
            for part, some in (("", messages[:middle]), (" [part 2]", messages[middle:])):
                if some:
                    text = render_export(
                        some, channel.locale, guild=GUILD, channel=channel.name, topic=TOPIC
                    )
                    _write(exports_folder / f"{channel.name}{part}.html", text)
    rows = [json.dumps(row, ensure_ascii=False) for row in truth]
    _write(exports_folder / "truth.jsonl", "\n".join(rows) + "\n")
    _write(exports_folder / "media.sha256", "\n".join(media_lines(exports_folder)) + "\n")
    return counts


def store_video(generation: Generation, data: bytes, path: Path) -> int:
    """Write a generation's video, or what its fault leaves of it, and return the size it is said
    to have in bytes."""
    if generation.fault == "undecodable":
        path.write_bytes(random.Random(generation.motion_seed).randbytes(len(data)))
    elif generation.fault == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif generation.fault in ("", "empty_file"):
        path.write_bytes(data)
    return len(data)


def render_video(generation: Generation) -> bytes:
    """Return a generation's video: its picture animated, or a texture if it had no picture; nothing
    if its file is to be empty."""
    idea = generation.idea
    if generation.fault == "empty_file":
        return b""
    if idea.picture is None:
        draw = zoom_video if idea.motion == "zoom" else drift_video
        frames = draw(SIZES[idea.ratio], generation.motion_seed)
    else:
        frames = animate(
            canvas(idea.picture),
            SIZES[idea.ratio],
            idea.motion,
            strength=generation.strength,
            seed=generation.motion_seed,
        )
    return encode_video(frames, FPS, crf=CRF)


def media_lines(exports_folder: Path) -> list[str]:
    """Return sorted lines ``sha256  path`` of every media file, paths from the exports' folder."""
    return sorted(
        f"{sha256_of(path)}  {path.relative_to(exports_folder).as_posix()}"
        for channel in (ANIMATE, CREATE)
        for path in (exports_folder / channel.media_folder).iterdir()
    )


def _set_times(messages: list[Message], exports_folder: Path) -> None:
    """Date each media file as the exporter does, by when it was uploaded."""
    for message in messages:
        for attachment in message.attachments:
            path = exports_folder / attachment.address
            if not attachment.address.startswith("https://") and path.is_file():
                os.utime(path, (message.timestamp_ms / 1000, message.timestamp_ms / 1000))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run_job(make_demo_channel, snakemake, exports_folder=Path(snakemake.output.truth).parent)
