"""Packages of other authors, really installed: pip puts a wheel into a folder."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY_POINTS = "[tmcwatch.notifiers]\n{name} = {name}\n"


def wheel_of(folder: Path, name: str, source: str) -> Path:
    """Write the package of one kind of notifier: one module of the same name."""
    wheel, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    content = {
        f"{name}.py": source,
        f"{info}/METADATA": METADATA.format(name=name),
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY_POINTS.format(name=name),
    }
    record = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    with ZipFile(wheel, "w") as archive:
        for path, text in (content | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)
    return wheel


def installed(folder: Path, sources: Mapping[str, str]) -> Path:
    """Install kinds of notifiers; answers with the folder to import them from."""
    site = folder / "site"
    wheels = [str(wheel_of(folder, name, source)) for name, source in sources.items()]
    how = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *how, "--target", str(site), *wheels]
    subprocess.run(command, check=True)
    return site
