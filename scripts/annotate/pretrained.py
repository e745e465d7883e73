"""Models of the Hugging Face hub: by repository and pinned revision, or from a local folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scripts.common.errors import UserError

T = TypeVar("T")


def load_pretrained(
    load: Callable[..., T], weights: Mapping[str, str] | None, **settings: Any
) -> T:
    """Return ``load(folder or repository, revision=..., **settings)``.

    Args:
        load: a library's loader, such as ``AutoModel.from_pretrained``.
        weights: ``{hub, revision}`` or ``{path}``.
        settings: what else the loader takes.

    Raises:
        UserError: the weights are neither there nor can be fetched.
    """
    weights = weights or {}
    if "path" in weights:
        if not Path(weights["path"]).is_dir():
            raise UserError(f"weights folder {weights['path']} is missing; correct 'weights.path'")
        return load(str(weights["path"]), **settings)
    if "hub" not in weights:
        raise UserError("the entry names no weights; give it weights: {hub: ..., revision: ...}")
    try:
        return load(weights["hub"], revision=weights["revision"], **settings)
    except OSError as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{weights['hub']} at {weights['revision']} cannot be loaded ({first}); fetch it "
            f"with: hf download {weights['hub']} --revision {weights['revision']}"
        ) from None
