"""The container of the chart's pod without Kubernetes: its files, its user and its command.

It has the machine's network, so that it reaches a simulated TMC, and no filter of system calls.
"""

import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.building import Image
from tests.deploy.manifests import Manifest, container_of, pod_of
from tests.deploy.tools import run
from tests.process.processes import eventually

ENTERED = """\
set -eu
mount --bind {root} {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
{mounts}
mount -o remount,bind,ro {root}
exec setpriv --no-new-privs {command}
"""
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child")


class Container:
    """A container that runs, as process 1 of its own, on a root that nobody can write."""

    def __init__(self, begun: subprocess.Popen[bytes], inside: Sequence[str]) -> None:
        (self.pid,) = eventually(lambda: _children(begun.pid))
        self._begun = begun
        self._inside = inside

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `kubectl exec` would."""
        entered = ("nsenter", "--target", str(self.pid), "--mount", "--pid")
        return run([*entered, *self._inside, *words])

    def facts(self) -> Mapping[str, Sequence[str]]:
        """What the kernel says of its process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: text.split() for name, _, text in (line.partition(":") for line in lines)}

    def ends(self, *, within: float) -> int:
        """Tell it to end, as the kubelet would; answers with the exit code."""
        run(["kill", "-TERM", str(self.pid)])
        return self._begun.wait(within)


@contextmanager
def contained(
    image: Image, manifests: Sequence[Manifest], volumes: Mapping[str, Path], log: Path
) -> Iterator[Container]:
    """Run the container of a pod; a volume without a folder of ours is one in memory."""
    container = container_of(manifests)
    inside = _inside(image, pod_of(manifests)["securityContext"])
    script = ENTERED.format(
        root=image.root,
        mounts="\n".join(_mounts(image.root, container["volumeMounts"], volumes)),
        command=shlex.join([*inside, *image.config["Entrypoint"], *container["args"]]),
    )
    with log.open("wb") as file:
        command = ["unshare", *NAMESPACES, "sh", "-c", script]
        begun = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield Container(begun, inside)
    finally:
        begun.kill()
        begun.wait()


def _mounts(
    root: Path, wanted: Iterable[Mapping[str, str]], volumes: Mapping[str, Path]
) -> Iterator[str]:
    for mount in wanted:
        source, target = volumes.get(mount["name"]), f"{root}{mount['mountPath']}"
        yield f"mkdir -p {target}"
        if source is None:
            yield f"mount -t tmpfs -o mode=1777 tmpfs {target}"
            continue
        yield f"mount --bind {source} {target}"
        if mount.get("readOnly"):
            yield f"mount -o remount,bind,ro {target}"


def _inside(image: Image, security: Mapping[str, int]) -> list[str]:
    """Answer with what begins a command as the pod's user, where and with what the image says."""
    user = f"--userspec={security['runAsUser']}:{security['runAsGroup']}"
    start = ["chroot", user, f"--groups={security['fsGroup']}", str(image.root), "/usr/bin/env"]
    folder = f"--chdir={image.config['WorkingDir']}"
    return [*start, "--ignore-environment", folder, *image.config["Env"]]


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
