"""A mirror: videos that someone downloaded before, in a folder or a bucket."""

import shutil
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from scripts.common.errors import Rejected, UserError
from scripts.curate.media_links import attachment_key


class Mirror:
    """Files named ``channel/attachment/name`` below a folder or ``s3://bucket/prefix``.

    Credentials and region of a bucket come from where Amazon's programs look for them; region and
    ``endpoint_override`` may stand in the address as well (``s3://bucket/prefix?region=...``).
    Its calls block: make them in threads.
    """

    def __init__(self, address: str):
        """Open a mirror.

        Raises:
            UserError: the folder or the bucket is not there or may not be read.
        """
        self._folder: Path | None = None
        if "://" not in address:
            self._folder = Path(address)
            if not self._folder.is_dir():
                raise UserError(f"curate.links.mirror: there is no folder {address}")
            return
        try:
            self._system, self._base = fs.FileSystem.from_uri(address)
            self._system.get_file_info(self._base)
        except (OSError, pa.ArrowException) as error:
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise UserError(
                f"curate.links.mirror: {address.partition('?')[0]} cannot be read: {first}"
            ) from None

    def bring(self, link: str, target: Path, limit_bytes: int) -> Path | None:
        """Return where a link's file can be read: in place, or copied to ``target``; or None.

        Raises:
            Rejected: mirror_failed; too_large.
        """
        key = attachment_key(link)
        if key is None:
            return None
        try:
            if self._folder:
                path = self._folder / key
                return path if path.is_file() else None
            with self._system.open_input_file(f"{self._base}/{key}") as source:
                if source.size() > limit_bytes:
                    raise Rejected("too_large", f"{source.size()} bytes")
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException) as error:
            raise Rejected("mirror_failed", str(error)) from None
        return target
