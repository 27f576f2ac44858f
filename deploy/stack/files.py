"""Small things about files: locks, digests, and a cache in which nothing half-made is ever seen."""

import fcntl
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .console import say


def digest(*parts: object) -> str:
    """Return a short fingerprint of values; a file stands for what it holds."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) and part.is_file() else str(part).encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:12]


def sha256(path: Path) -> str:
    """Return the SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(*folders: Path) -> str:
    """Return a fingerprint that changes when a file under the folders does."""
    stamps = (
        f"{path}:{stat.st_mtime_ns}:{stat.st_size}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "__pycache__"
        for stat in [path.stat()]
    )
    return digest(*stamps)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


@contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[None]:
    """Hold a lock among processes; the kernel gives it back when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for {waiting_for} ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(target: Path, product: str, build: Callable[[Path], None], *, again: bool = False) -> Path:
    """Return the folder `target`, built first where it, or its most important file `product`, is missing.

    `build` fills a temporary folder beside it, which is renamed when it is complete.
    """
    if (target / product).exists() and not again:
        return target
    lock = target.with_name(f".{target.name}.lock")
    with _thread_lock(target), locked(lock, f"another process that makes {target.name}"):
        if (target / product).exists() and not again:
            return target
        _remove(*target.parent.glob(f".{target.name}.tmp-*"))
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-", dir=target.parent))
        temporary.chmod(0o755)
        try:
            build(temporary)
            _swap(temporary, target)
        finally:
            _remove(temporary)
    return target


@cache
def _thread_lock(_target: Path) -> threading.Lock:
    return threading.Lock()


def _swap(new: Path, target: Path) -> None:
    old = new.with_name(f"{new.name}-old")
    if target.exists():
        target.rename(old)
    new.rename(target)
    _remove(old)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
