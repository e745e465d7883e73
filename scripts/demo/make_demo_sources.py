"""Makes up, in small, what the paper takes from elsewhere: videos, images and prompts."""

import io
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image, ImageOps

from scripts.common.code import settings_of
from scripts.common.identity import derived_seed, item_uuid
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import write_table
from scripts.common.video import VideoProperties, encode_video
from scripts.demo.footage import PLACES, SEGMENT_S, cut, handheld
from scripts.demo.motions import FPS, FRAMES
from scripts.demo.outside_prompts import GRAMMARS, outside_prompts
from scripts.demo.textures import drift_video, texture, zoom_video
from scripts.demo.treatments import TREATMENTS, treat

VIDEO_SIZES = ((256, 144), (256, 144), (240, 160), (192, 192))
IMAGE_SIZES = ((192, 144), (144, 192), (160, 160), (224, 126))


def make_demo_sources(
    sources_folder: Path,
    *,
    real_videos: int,
    segments: int,
    text_videos: int,
    reference_images: int,
    distractor_images: int,
    outside_prompts_each: int,
    seed: int,
) -> Counts:
    """Write the demo's outside sources; the same seed gives the same bytes.

    Args:
        sources_folder: gets ``<name>.tar`` and ``<name>.parquet`` (``ITEM_INDEX``; ``group`` is
            the take that segments were cut from) for real_videos, text_videos_drift and
            distractor_images; ``published/zoom_videos_1.tar`` and ``published/references_0.zip``,
            packed as VidProM and DISC21 are; and ``prompts_<dataset>.parquet``
            (``OUTSIDE_PROMPTS``) for vidprom, diffusiondb, panda70m.
        real_videos: how many takes; each gives ``segments`` videos of 3 s (Supplement 13).
        segments: of one take.
        text_videos: how many of each of the two text-to-video stand-ins.
        reference_images: pictures among which a source image is searched (Supplement 15).
        distractor_images: queries that have no source image (Supplement 15).
        outside_prompts_each: how many prompts of each data set.
        seed: of all choices.

    Returns:
        Counts of videos, images and prompts.
    """
    counts = _write(sources_folder, "real_videos", _takes(real_videos, segments, seed), "mp4")
    drawn = _drawn("text_videos_zoom", zoom_video, text_videos, seed)
    zoom = {f"zoom_videos/zoom-{item.uuid}.mp4": item.data for item in drawn}
    drawn = _drawn("text_videos_drift", drift_video, text_videos, seed)
    counts += _write(sources_folder, "text_videos_drift", drawn, "mp4")
    pictures = _pictures("reference_images", reference_images, seed)
    references = {f"images/references/R{number:06d}.jpg": item.data
                  for number, item in enumerate(pictures)}  # fmt: skip
    counts += _publish(sources_folder / "published", zoom, references)
    pictures = _pictures("distractor_images", distractor_images, seed)
    counts += _write(sources_folder, "distractor_images", pictures, "jpg")
    for dataset in GRAMMARS:
        rows = [
            {
                "uuid": item_uuid(f"demo {dataset}", text),
                "prompt": text,
                "dataset": f"{dataset} (made up)",
            }
            for text in outside_prompts(dataset, outside_prompts_each, seed)
        ]
        write_table(rows, sources_folder / f"prompts_{dataset}.parquet", OUTSIDE_PROMPTS)
        counts.keep(len(rows))
    return counts


def _write(folder: Path, name: str, items: Iterator[ShardItem], extension: str) -> Counts:
    """Write one source; its items (small here) are put into the order of their ids."""
    found = sorted(progress(items, f"demo {name}"), key=lambda item: item.uuid)
    return write_shard(folder / f"{name}.tar", folder / f"{name}.parquet", found, extension)


def _publish(folder: Path, zoom: Mapping[str, bytes], references: Mapping[str, bytes]) -> Counts:
    """Pack videos into a tar and pictures into a zip, as publishers do."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "zoom_videos_1.tar", "w") as tar:
        for name, data in zoom.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    with zipfile.ZipFile(folder / "references_0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in references.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return Counts(kept=len(zoom) + len(references))


def _takes(number: int, segments: int, seed: int) -> Iterator[ShardItem]:
    for take in range(number):
        chance = random.Random(derived_seed(seed, "take", take))
        place, size = PLACES[take % len(PLACES)], chance.choice(VIDEO_SIZES)
        fps = chance.choice((24, 30))
        group = item_uuid("demo takes", str(take))
        clips = handheld(place, size, fps, segments, chance.getrandbits(63))
        for segment, frames in enumerate(clips):
            properties = VideoProperties(*size, fps, SEGMENT_S * fps, SEGMENT_S, "h264")
            data = encode_video(frames, fps)
            yield _item("real_videos", f"{take}/{segment}", data, properties, group)


def _drawn(name: str, draw: Callable, number: int, seed: int) -> Iterator[ShardItem]:
    for index in range(number):
        chance = random.Random(derived_seed(seed, name, index))
        size = chance.choice(VIDEO_SIZES)
        data = encode_video(draw(size, chance.getrandbits(63)), FPS)
        properties = VideoProperties(*size, FPS, FRAMES, FRAMES / FPS, "h264")
        yield _item(name, index, data, properties)


def _pictures(name: str, number: int, seed: int) -> Iterator[ShardItem]:
    for index in range(number):
        chance = random.Random(derived_seed(seed, name, index))
        size = chance.choice(IMAGE_SIZES)
        target = io.BytesIO()
        _picture(size, chance).save(target, "JPEG", quality=88)
        properties = VideoProperties(*size, 0.0, 1, 0.0, "jpeg")
        yield _item(name, index, target.getvalue(), properties)


def _item(
    name: str, key: object, data: bytes, properties: VideoProperties, group: str | None = None
) -> ShardItem:
    uuid = item_uuid(f"demo {name}", str(key))
    return ShardItem(uuid, data, properties, group=group)


def _picture(size: tuple[int, int], chance: random.Random) -> Image.Image:
    """Return a picture that no prompt has: a part of a real video's place, or a texture."""
    if chance.random() < 0.35:
        return texture(size, chance.getrandbits(63))
    corner = (chance.random(), chance.random())
    picture = cut(chance.choice(PLACES), size, chance.uniform(0.35, 1.0), corner)
    if chance.random() < 0.5:
        picture = ImageOps.mirror(picture)
    return treat(picture, chance.choice(tuple(TREATMENTS)))


if __name__ == "__main__":
    folder = Path(snakemake.output.real_videos[0]).parent
    settings = settings_of(snakemake.params)  # some outputs have their names
    run_job(make_demo_sources, snakemake, sources_folder=folder, **settings)
