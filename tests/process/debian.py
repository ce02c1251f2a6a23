"""Programs of Debian: those that are installed, or unpacked from their packages."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

CACHE = Path(tempfile.gettempdir()) / f"tmcwatch-debian-{os.getuid()}"
FETCH_WITHIN = 300.0
READY_WITHIN = 30.0
PORTS_TRIED = 5
SHARED, BESIDE = b"/usr/share/prometheus", b"usr//share/prometheus"
"""A folder whose name is compiled in, and its name from where the package is unpacked."""


def program(name: str, *, package: str) -> str:
    """Answer with the path of a program; without it the test is skipped, but fails in CI."""
    found = shutil.which(name)
    if found:
        return found
    unpacked = CACHE / package / "usr/bin" / name
    CACHE.mkdir(mode=0o700, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers want it at once
        problem = "" if unpacked.exists() else _unpack(package)
    if unpacked.exists():
        return str(unpacked)
    missing = f"{name} IS NOT TESTED AGAINST: Debian's {package} cannot be had here: {problem}"
    if "CI" in os.environ:
        pytest.fail(missing)
    pytest.skip(missing)


def _unpack(package: str) -> str:
    """Get a package as any user can; answers with what went wrong."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        download = ["apt-get", "download", package]
        problem = _run(download, folder)
        if problem:  # such as a list of packages that is missing, or older than they are
            problem = _run(["apt-get", "update"], folder) or _run(download, folder)
        archives = list(Path(folder).glob("*.deb"))
        if not archives:
            return problem
        # Moved when it is whole: a test that is stopped midway leaves nothing behind.
        content = Path(folder) / "content"
        problem = _run(["dpkg", "-x", str(archives[0]), str(content)], folder)
        if not problem:
            _relocate(content)
            content.rename(CACHE / package)
        return problem


def _relocate(content: Path) -> None:
    """Let programs find their templates without being installed, which only root may do."""
    for binary in (content / "usr/bin").iterdir():
        binary.write_bytes(binary.read_bytes().replace(SHARED, BESIDE))


def _run(command: list[str], folder: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip()[-300:] if done.returncode else ""


def alertmanager(
    binary: str, folder: Path, config: str, *, port: int | None = None
) -> AbstractContextManager[str]:
    """Run Alertmanager without a cluster, on a free port or this one; gives its address."""
    words = (f"--storage.path={folder}/data", "--cluster.listen-address=")
    return _running(binary, folder, config, words, port=port)


def prometheus(binary: str, folder: Path, config: str) -> AbstractContextManager[str]:
    """Run Prometheus on a free port, beside the rules in its folder; gives its address."""
    words = (f"--storage.tsdb.path={folder}/data", "--enable-feature=exemplar-storage")
    return _running(binary, folder, config, words)


@contextmanager
def _running(
    binary: str, folder: Path, config: str, words: Sequence[str], *, port: int | None = None
) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(config)
    process, address = _begun(binary, folder, words, port)
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def _begun(
    binary: str, folder: Path, words: Sequence[str], port: int | None
) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(PORTS_TRIED):  # it cannot take a free port, and another may take ours meanwhile
        with socket.create_server(("127.0.0.1", port or 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        places = (f"--config.file={folder}/config.yml", f"--web.listen-address={address}")
        command = [binary, *places, *words]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=_home(binary))
        if _is_ready(process, address):
            return process, f"http://{address}"
        process.kill()
        process.wait()
    raise AssertionError((folder / "log").read_text()[-2000:])


def _home(binary: str) -> Path | None:
    """Answer with where a program finds its templates; anywhere, if it is installed."""
    path = Path(binary)
    return path.parents[2] if path.is_relative_to(CACHE) else None


def _is_ready(process: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://{address}/-/ready", timeout=5).is_success:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    return False
