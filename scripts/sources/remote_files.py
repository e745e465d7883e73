"""Files that have an address, on the Hugging Face hub or by a link: sizes first, then the bytes.

What breaks off goes on where it stopped; what came is compared with the size and the SHA-256 that
the hub, the entry or the lock file state, and is put in place only if it has them.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
from huggingface_hub import HfApi, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, tqdm

from scripts.common.errors import UserError
from scripts.common.fetched import Lock
from scripts.common.fingerprints import sha256_of
from scripts.curate.partial_files import PartialFile, mark_of

TRIES = 4
WAIT_S = 1.0
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
Told = Callable[[int], object]


class ByHand(Exception):
    """What nobody can fetch without having asked for it; the text says where."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that is wanted, and where it is and goes.

    Attributes:
        what: who wants it, for people.
        address: its link; the key in the lock file, with ``#<bytes>`` if only its beginning is.
        path: where it goes; None for the hub's cache.
        size_bytes: as stated; None if nobody does.
        sha256: as stated.
        hub: repository, its kind, the commit and the name, if it is of the hub.
        first_bytes: how much of its beginning is wanted; all by default.
        about_bytes: what is guessed where no size is stated.
    """

    what: str
    address: str
    path: Path | None
    size_bytes: int | None = None
    sha256: str | None = None
    hub: tuple[str, str, str, str] | None = None
    first_bytes: int | None = None
    about_bytes: int = 0

    @property
    def is_there(self) -> bool:
        """Whether it lies in its place with the size that it should have."""
        if self.path is None:
            repository, kind, commit, name = self.hub
            found = try_to_load_from_cache(repository, name, revision=commit, repo_type=kind)
            return isinstance(found, str)
        size = self.path.stat().st_size if self.path.is_file() else None
        if self.first_bytes is not None and size is not None:  # all of it is there as well
            return size >= (self.size_bytes or 1)
        return size is not None and self.size_bytes in (None, size)

    def as_locked(self, lock: Lock) -> "RemoteFile":
        """Return the file with the size and checksum of the lock file, and if a part, those of that."""
        file = self
        if self.first_bytes is not None:
            size = min(self.first_bytes, self.size_bytes or self.first_bytes)
            address = f"{self.address}#{self.first_bytes}"
            file = replace(self, size_bytes=size, sha256=None, address=address)
        return replace(file, **lock["files"].get(file.address, {}))


def of_hub(
    what: str, fields: Mapping[str, Any], lock: Lock, *, kind: str, into: str | None = None
) -> Iterator[RemoteFile]:
    """Yield the files of a hub's repository, at the commit that its revision is.

    Args:
        what: who wants them.
        fields: ``hub``, ``revision``, and perhaps ``files``, patterns of names, and ``first_gb``.
        lock: gets the commit of a revision that is none.
        kind: ``model`` or ``dataset``.
        into: folder; the hub's cache by default.

    Raises:
        ByHand: it is gated.
        UserError: it is not there, or the hub is not.
    """
    repository, revision = fields["hub"], str(fields["revision"])
    name = f"{repository}@{revision}"
    where = lock["revisions"].get(name, revision)
    page = f"{HfApi().endpoint}/{'datasets/' if kind == 'dataset' else ''}{repository}"
    try:
        found = HfApi().repo_info(repository, revision=where, repo_type=kind, files_metadata=True)
        if found.gated:
            HfApi().auth_check(repository, repo_type=kind)
    except GatedRepoError:
        raise ByHand(f"{what}: ask for access at {page}, and log in with: hf auth login") from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise UserError(
            f"{what}: the hub has no {repository} at {where}; correct the entry, or log in with: "
            "hf auth login"
        ) from None
    except (OSError, HTTPError) as error:
        raise UserError(_unreachable(page, error)) from None
    if found.sha != revision:
        lock["revisions"][name] = found.sha
    patterns = fields.get("files") or ["*"]
    for one in found.siblings:
        if any(fnmatch(one.rfilename, pattern) for pattern in patterns):
            address = hf_hub_url(repository, one.rfilename, repo_type=kind, revision=found.sha)
            first = fields.get("first_gb")
            yield RemoteFile(
                what,
                address,
                Path(into, one.rfilename) if into else None,
                one.size,
                one.lfs.sha256 if one.lfs else None,
                (repository, kind, found.sha, one.rfilename),
                int(first * 1e9) if first else None,
            ).as_locked(lock)


def of_links(what: str, fields: Mapping[str, Any], lock: Lock) -> Iterator[RemoteFile]:
    """Yield the files behind links, with the sizes that their servers state.

    Args:
        what: who wants them.
        fields: ``urls``, in which ``{0..9}`` stands for ten numbers, and ``into``, the folder; or
            ``url`` and ``path``; perhaps ``first_gb`` of each, and ``sha256``.
        lock: what was fetched before.

    Raises:
        UserError: a server does not answer, or has no such file.
    """
    pairs = [(url, None) for one in fields.get("urls", []) for url in _numbered(one)]
    pairs += [(fields["url"], Path(fields["path"]))] if "url" in fields else []
    first = int(fields["first_gb"] * 1e9) if "first_gb" in fields else None
    for url, path in pairs:
        path = path or Path(fields["into"], Path(url.partition("?")[0]).name)
        file = RemoteFile(what, url, path, sha256=fields.get("sha256"), first_bytes=first)
        file = file.as_locked(lock)
        if file.size_bytes is None or (first and not file.is_there):
            size = _get(file, lambda client, url=url: _stated_size(client, url))
            file = replace(file, size_bytes=min(size, first) if size and first else size)
        yield file


def of_list(what: str, fields: Mapping[str, Any], lock: Lock) -> Iterator[RemoteFile]:
    """Yield the files that a published list of links names, and that match; sizes are not stated.

    Args:
        what: who wants them.
        fields: ``list``, its address; ``match``, an expression; ``into``, the folder, and ``below``,
            the part of addresses that goes before the names in it; perhaps ``items``, of which an
            equal number of places apart are taken, and ``item_mb``, the mean size.
        lock: what was fetched before.
    """
    file = RemoteFile(what, fields["list"], None)
    text = _get(file, lambda client: _found(client.get(fields["list"])).text)
    links = sorted({line.strip() for line in text.splitlines() if re.search(fields["match"], line)})
    step = max(1, len(links) // fields.get("items", len(links) or 1))
    for link in links[::step][: fields.get("items")]:
        name = link.partition(fields["below"])[2]
        if not name or ".." in Path(name).parts or name.startswith("/"):
            raise UserError(f"{what}: {fields['list']} names {link}, which is not below "
                            f"{fields['below']}; correct 'fetch' of the entry")  # fmt: skip
        about = int(fields.get("item_mb", 0) * 1e6)
        yield RemoteFile(what, link, Path(fields["into"], name), about_bytes=about).as_locked(lock)


def download(file: RemoteFile, told: Told) -> dict[str, Any]:
    """Fetch one file, and return what the lock file is to say of it: size and SHA-256.

    Args:
        file: that is not there.
        told: is called with the number of bytes, as they come.

    Raises:
        UserError: one sentence: no network, no room, no such file, other bytes than stated, or no
            access.
    """
    try:
        if file.path is None:
            return _checked(file, _from_hub(file, told))
        part = PartialFile(file.path.with_name(f"{file.path.name}.part"))
        _get(file, lambda client: _receive(client, file, part, told))
        try:
            found = _checked(file, part.path)
            os.replace(part.path, file.path)
        finally:
            part.discard()
        return found
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{file.what}: there is no room left for {file.address}; make some and fetch again: "
                "what came is kept"
            ) from None
        raise


def _from_hub(file: RemoteFile, told: Told) -> Path:
    repository, kind, commit, name = file.hub

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *items: object, **settings: Any):
            super().__init__(*items, **settings | {"disable": True})

        def update(self, number: float | None = 1) -> None:
            told(int(number or 0))

    try:
        return Path(
            hf_hub_download(repository, name, revision=commit, repo_type=kind, tqdm_class=Bar)
        )
    except GatedRepoError:
        raise UserError(f"{file.what}: {repository} is gated; ask for access on its page") from None
    except (OSError, HTTPError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(_unreachable(file.address, error)) from None


def _checked(file: RemoteFile, path: Path) -> dict[str, Any]:
    """Return size and checksum if they are those that are stated; else the bytes are deleted."""
    found = {"size_bytes": path.stat().st_size, "sha256": sha256_of(path)}
    fits = file.size_bytes in (None, found["size_bytes"])
    if fits and file.sha256 in (None, found["sha256"]):
        return found
    path.resolve().unlink()
    path.unlink(missing_ok=True)
    raise UserError(
        f"{file.what}: {file.address} gave other bytes than {'its checksum' if fits else 'its size'} "
        "says; fetch again, or, if its publisher changed it, take it out of config/fetched.json"
    )


def _receive(client: httpx.Client, file: RemoteFile, part: PartialFile, told: Told) -> None:
    """Write what is missing of a file; a server that cannot give the rest gives all anew."""
    if part.complete or (part.size and part.size == file.size_bytes):
        return
    end = "" if file.first_bytes is None else str(file.first_bytes - 1)
    headers = {"Accept-Encoding": "identity"}
    if part.mark:
        headers |= {"Range": f"bytes={part.size}-{end}", "If-Range": part.mark}
    elif end:
        headers |= {"Range": f"bytes=0-{end}"}
    url = file.address.partition("#")[0]
    if file.hub:
        headers |= build_hf_headers()
    with client.stream("GET", url, headers=headers) as answer:
        _found(answer)
        rest = answer.status_code == 206 and part.mark is not None
        at = part.size if rest else 0
        mark = mark_of(answer.headers.get("etag"), answer.headers.get("last-modified"))
        length = answer.headers.get("content-length")
        total = at + int(length) if length else None
        wanted = file.first_bytes
        with part.open(
            at, mark, total if wanted is None else min(total or wanted, wanted)
        ) as write:
            for piece in answer.iter_raw():
                piece = piece if wanted is None else piece[: wanted - at]
                write(piece)
                told(len(piece))
                at += len(piece)
                if at == wanted:
                    return
    if total is not None and at != total:
        raise httpx.RemoteProtocolError("the answer broke off")


def _get(file: RemoteFile, ask: Callable[[httpx.Client], Any]) -> Any:
    """Return what ``ask`` does, tried again where another try may help."""
    url = httpx.URL(file.address.partition("#")[0])
    if url.scheme != "https" and url.host not in ("127.0.0.1", "localhost"):
        raise UserError(f"{file.what}: {url} is not https; correct the entry's address")
    for attempt in range(TRIES):
        try:
            with httpx.Client(follow_redirects=True, timeout=30) as client:
                return ask(client)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise UserError(f"{file.what}: {url} refuses access ({status}); ask its publisher, "
                                "and see 'page' of the entry") from None  # fmt: skip
            if (status < 500 and status != 429) or attempt == TRIES - 1:
                raise UserError(f"{file.what}: {url} answers {status}; correct the entry's address, "
                                "or try again later") from None  # fmt: skip
        except httpx.HTTPError as error:
            if attempt == TRIES - 1:
                raise UserError(_unreachable(str(url), error)) from None
        time.sleep(WAIT_S * 2**attempt)
    return None


def _found(answer: httpx.Response) -> httpx.Response:
    answer.raise_for_status()
    return answer


def _stated_size(client: httpx.Client, url: str) -> int | None:
    with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
        length = _found(answer).headers.get("content-length", "")
        return int(length) if length.isdigit() else None


def _numbered(url: str) -> list[str]:
    """Return a link for each number of ``{first..last}`` in one."""
    found = _RANGE.search(url)
    if found is None:
        return [url]
    return [url[: found.start()] + str(number) + url[found.end() :]
            for number in range(int(found[1]), int(found[2]) + 1)]  # fmt: skip


def _unreachable(address: str, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{address} cannot be reached ({reason}); look at the network and fetch again: what came is kept"
