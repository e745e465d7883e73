"""A bucket's inputs as files: what a plan asks for by name is there before a job fetches it."""

import os
import re
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.faults import first_line

INPUTS = "data"
"""Below it lie exports, the released data set and outside sources, here and in the bucket."""

_READ = re.compile(r"\.(csv|html|jsonl?|md|parquet|tar|tar\.gz|txt|zip)$")
"""What rules read. Loose videos and pictures are none: ``curate.links.mirror`` may name a bucket."""
_LOOKED_AT = re.compile(r"-00000-of-\d{5}\.parquet$")
"""Released tables of whose columns a plan depends: the first of each split."""


def show_names(provider: Any, prefix: str) -> None:
    """Put an empty file where the working directory lacks an input that a bucket has.

    It is older than any object, so that Snakemake fetches the object for the first job that reads it.

    Args:
        provider: Snakemake's, of the plugin for S3.
        prefix: of all objects, ``s3://bucket/prefix``.

    Raises:
        UserError: the bucket cannot be listed.
    """
    bucket, _, folder = prefix.removeprefix("s3://").strip("/").partition("/")
    beginning = f"{folder}/" if folder else ""
    try:
        objects = list(provider.s3c.Bucket(bucket).objects.filter(Prefix=f"{beginning}{INPUTS}/"))
    except Exception as error:  # of botocore, which only this profile needs
        raise UserError(
            f"{prefix} cannot be listed ({first_line(error)}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or run 'aws configure', for an account that may read it"
        ) from None
    for one in objects:
        path = Path(one.key.removeprefix(beginning))
        if ".." in path.parts or path.exists() or not _READ.search(path.name):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if _LOOKED_AT.search(path.name):
            one.Object().download_file(str(path))
        else:
            path.touch()
            os.utime(path, (0, 0))
