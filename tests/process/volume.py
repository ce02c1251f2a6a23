"""A ConfigMap or a Secret as the kubelet mounts it into a pod, and swaps it."""

import shutil
from collections.abc import Mapping
from pathlib import Path


class Volume:
    """A folder of links by way of `..data`, whose swap changes all files at once."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._swaps = 0
        folder.mkdir()
        self.swap(files)

    def swap(self, files: Mapping[str, str]) -> None:
        """Write the files into a folder of their own, lead there, and drop what was before."""
        before = list(self._folder.glob("..2*"))
        self._swaps += 1
        after = self._folder / f"..2026_11_27_15_00_00.{self._swaps:09}"
        after.mkdir()
        for name, content in files.items():
            (after / name).write_text(content)
        (self._folder / "..data_tmp").symlink_to(after.name)
        (self._folder / "..data_tmp").rename(self._folder / "..data")
        shown = {path.name for path in self._folder.iterdir() if not path.name.startswith("..")}
        for name in files.keys() - shown:
            (self._folder / name).symlink_to(f"..data/{name}")
        for name in shown - files.keys():
            (self._folder / name).unlink()
        for folder in before:
            shutil.rmtree(folder)
