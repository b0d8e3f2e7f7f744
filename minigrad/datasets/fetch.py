"""Finding, downloading and verifying the files of a data set.

A file is looked for in the folder that the environment variable MINIGRAD_DATA names, in the `root` that
the caller gives, and in a cache folder; then it is downloaded, once. Nothing is believed: sizes are
bounded while reading, contents are compared with a checksum, and a file gets its name when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.datasets.idx import open_either, read_at_most

TIMEOUT = 5.0  # seconds without an answer, or without a byte
_PIECE = 1 << 16


class DataUnavailable(FileNotFoundError, RuntimeError):
    """A data set that is neither on this machine nor to be had from the network."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One file: what it is called where it is published, and how to know that it is the right one."""

    name: str
    size: int  # bytes of its content: decompressed, if `content` says that this is what is pinned
    sha256: str = ""  # of the decompressed content
    md5: str = ""  # of the file as published, where only that is known for certain

    @property
    def plain_name(self) -> str:
        """The name without its .gz."""
        return self.name.removesuffix(".gz")


def cache_folder() -> Path:
    """Where downloads go when nobody says where: $XDG_CACHE_HOME/minigrad or ~/.cache/minigrad."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "minigrad"


def search_folders(layouts: Sequence[str], root: str | os.PathLike[str] | None) -> list[Path]:
    """Where to look, in order. `layouts` are the sub-folders tried in each place, "" for the place itself."""
    places = [os.environ.get("MINIGRAD_DATA"), root, cache_folder()]
    return [Path(place).expanduser() / layout for place in places if place for layout in layouts]


def find(resource: Resource, folders: Sequence[Path]) -> Path | None:
    """The first of the folders' files that bears the name, zipped or not."""
    candidates = (folder / name for folder in folders for name in (resource.name, resource.plain_name))
    return next((path for path in candidates if path.is_file()), None)


def obtain(
    title: str,
    resource: Resource,
    mirrors: Sequence[str],
    layouts: Sequence[str],
    root: str | os.PathLike[str] | None,
    download: bool,
) -> Path:
    """The path of a file that is there, downloading it into `root` (or the cache folder) if it is not.

    Raises:
        DataUnavailable: it is not there, and may not or cannot be downloaded.
    """
    folders = search_folders(layouts, root)
    path = find(resource, folders)
    if path is not None:
        return path
    if not download:
        raise DataUnavailable(
            f"{title}: Dataset not found. You can use download=True to download it. "
            f"Looked for {resource.name} in: {_listed(folders)}"
        )
    folder = (Path(root).expanduser() if root else cache_folder()) / layouts[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataUnavailable(f"{title}: {resource.name} has no place to be downloaded to: {error}") from error
    with locked(folder):
        target = folder / resource.name
        if not target.is_file():  # another process may have been faster
            _from_mirrors(title, resource, mirrors, target, folders)
    return target


def read_verified(path: Path, resource: Resource) -> bytes:
    """The decompressed content, after checking its length and, where it is known, its checksum.

    Raises:
        ValueError: the content is not the right one. Nothing beyond the known size is read.
    """
    with open_either(path) as file:
        content = read_at_most(file, resource.size + 1, path)
    advice = "delete the file and it will be downloaded again"
    if len(content) != resource.size:
        has = f"{len(content)} bytes" if len(content) < resource.size else "more"
        raise ValueError(f"{path}: expected {resource.size} bytes of content, but it has {has}: {advice}")
    if resource.sha256:
        digest = hashlib.sha256(content).hexdigest()
        if digest != resource.sha256:
            raise ValueError(f"{path}: wrong checksum: sha256 is {digest}, expected {resource.sha256}: {advice}")
    return content


# ---------------------------------------------------------------------- the network


def _from_mirrors(
    title: str, resource: Resource, mirrors: Sequence[str], target: Path, folders: Sequence[Path]
) -> None:
    from http.client import HTTPException

    reasons = []
    for mirror in mirrors:
        url = mirror + resource.name
        try:
            _download(url, resource, target)
            return
        except (OSError, ValueError, HTTPException) as error:  # URLError and time-outs are OSErrors
            reasons.append(f"  {url}: {getattr(error, 'reason', None) or error}")
    raise DataUnavailable(
        f"{title}: {resource.name} is not on this machine and could not be downloaded:\n"
        + "\n".join(reasons)
        + f"\nPut the data set's files into one of {_listed(folders)}; "
        "the environment variable MINIGRAD_DATA names the folder that is tried first."
    )


def _download(url: str, resource: Resource, target: Path) -> None:
    """Fetch one file, verify it under another name, and only then give it its own."""
    from urllib.request import Request, urlopen

    handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        request = Request(url, headers={"User-Agent": "minigrad"})
        with os.fdopen(handle, "wb") as file, urlopen(request, timeout=TIMEOUT) as answer:
            _receive(answer, file, resource)
            file.flush()
            os.fsync(file.fileno())
        if resource.sha256:
            read_verified(Path(part), resource)
        os.replace(part, target)
    except BaseException:  # Ctrl-C included: no part stays behind
        Path(part).unlink(missing_ok=True)
        raise


def _receive(answer: Any, file: Any, resource: Resource) -> None:
    if "html" in (answer.headers.get("Content-Type") or ""):
        raise ValueError("the server sent an HTML page instead of the file")
    length = answer.headers.get("Content-Length")
    declared = int(length) if length and length.isdigit() else None
    # What does not shrink grows by less than a thousandth in gzip.
    limit = resource.size + resource.size // 100 + 4096
    if declared is not None and declared > limit:
        raise ValueError(f"the server announces {declared} bytes, more than the {limit} that the file can have")
    digest, received = hashlib.md5(usedforsecurity=False), 0
    with progress_bar(resource.name, declared) as advance:
        while piece := answer.read(_PIECE):
            if not received and not piece.startswith(b"\x1f\x8b"):
                kind = "an HTML page" if piece.lstrip()[:1] == b"<" else "something else"
                raise ValueError(f"the server sent {kind} instead of a gzip file")
            received += len(piece)
            if received > limit:
                raise ValueError(f"the server sent more than the {limit} bytes that the file can have")
            digest.update(piece)
            file.write(piece)
            advance(len(piece))
    if declared is not None and received != declared:
        raise ValueError(f"the connection broke after {received} of {declared} bytes")
    if resource.md5 and digest.hexdigest() != resource.md5:
        raise ValueError(f"wrong checksum: md5 is {digest.hexdigest()}, expected {resource.md5}")


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Any]:
    """A function that takes the bytes just received; draws a bar on a terminal where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda count: None
        return
    with tqdm(desc=title, total=total, unit="B", unit_scale=True, disable=None) as bar:
        yield bar.update


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time in a folder; the system takes the lock back from a process that dies."""
    with open(folder / ".lock", "a+b") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(str(folder) for folder in folders)
