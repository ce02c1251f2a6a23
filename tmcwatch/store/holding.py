"""Holding a store: one process at a time runs on it, or puts another file in its place."""

import fcntl
import os
from pathlib import Path

from tmcwatch.store.engine import StoreError

SHARED = 0o660
"""What is made is never for others, and for the group as far as the umask lets it: the store holds
names and error texts, and a platform that changes its users shares files by their group."""


class Hold:
    """A lock on a file beside the store: it ends with its process, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Let it go. The file stays: whoever removed it might remove it from under another."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def hold(path: Path) -> Hold:
    """Answer with the store held; raises StoreError where somebody holds it, or nobody can."""
    file = path.with_name(f"{path.name}.lock")
    try:
        is_new = not file.exists()
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, SHARED)
    except OSError as error:
        raise StoreError(
            f"{path}: {file.name} cannot be made beside it, which keeps a second tmcwatch off: "
            f"{error.strerror}: give the folder {file.parent} to the user that tmcwatch runs as"
        ) from error
    try:
        if is_new:
            give(file, like=path if path.exists() else path.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreError(
            f"{path}: somebody has the store open: stop the tmcwatch that runs on it first"
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise StoreError(f"{path}: {file.name} cannot be locked: {error.strerror}") from error
    return Hold(descriptor)


def give(file: Path, *, like: Path) -> None:
    """Give what root made to the user that tmcwatch runs as, who could not open it otherwise."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
