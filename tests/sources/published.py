"""Small copies of outside sources as their publishers pack them, and stand-ins for all of them."""

import io
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from scripts.common.code import ROOT
from scripts.common.video import encode_video


def jpeg(value: int, size=(16, 12), form="JPEG") -> bytes:
    """Return a picture of one colour."""
    target = io.BytesIO()
    Image.new("RGB", size, (value % 256, 80, 120)).save(target, form)
    return target.getvalue()


def video(frames: int, fps=8, size=(32, 16), value=0) -> bytes:
    """Return a video of so many frames, each brighter than the one before."""
    width, height = size
    levels = [np.full((height, width, 3), (value + 3 * n) % 256, np.uint8) for n in range(frames)]
    return encode_video(levels, fps)


def pack_tar(path: Path, members, mode="w") -> Path:
    """Write a tar of name -> bytes, or of name -> header for what is no plain file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def link(name: str, target: str, kind=tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return the header of a link in a tar."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


def pack_zip(path: Path, members, method=zipfile.ZIP_STORED) -> Path:
    """Write a zip of name -> bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def pack_folder(folder: Path, members) -> Path:
    """Write name -> bytes as files of a folder."""
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def touch_sources(root: Path) -> None:
    """Put an empty file where each entry of config/sources.yaml looks for one of a publisher."""
    for entry in yaml.safe_load((ROOT / "config/sources.yaml").read_text()).values():
        files = [re.sub(r"\*+", "x", one) for one in entry.get("layout", {}).get("files", [])]
        if "tar" in entry and not entry["tar"].startswith("results/"):  # the demo makes these
            files += [entry["tar"], entry["tar"].replace(".tar", ".parquet")]
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch()
