"""The commands `store check`, `backup` and `restore`: they open the store themselves."""

import os
from pathlib import Path

import click

from tmcwatch.cli.ending import found_wrong, one_line, unreachable, wrong_usage
from tmcwatch.cli.options import config_option, example, json_option, print_json
from tmcwatch.cli.progress import progress


@click.group(
    "store",
    no_args_is_help=False,
    epilog=example(
        "tmcwatch store check --config tmcwatch.yaml",
        "tmcwatch store backup /backups/tmcwatch.db --config tmcwatch.yaml",
        "tmcwatch store restore /backups/tmcwatch.db --config tmcwatch.yaml",
    ),
)
def command() -> None:
    """Check the store, back it up, or put a back-up in its place.

    All three open the file that `store.url` names, where it is; no daemon is asked.
    """


@command.command(
    "check",
    epilog=example(
        "tmcwatch store check --config tmcwatch.yaml",
        "tmcwatch store check /backups/tmcwatch.db --config tmcwatch.yaml",
    ),
)
@click.argument(
    "backup",
    metavar="[PATH]",
    required=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@config_option
@json_option
def check(*, backup: Path | None, path: Path, as_json: bool) -> None:
    """Check the store, or the back-up at PATH.

    It looks at every page, at references, schema and room; others may work on it meanwhile.
    """
    store = backup.resolve() if backup else _store_of(path)
    findings = _examined(store)
    good = all(finding["ok"] for finding in findings)
    if as_json:
        print_json({"store": str(store), "ok": good, "checks": findings})
    else:
        for finding in findings:
            mark = "ok" if finding["ok"] else "WRONG"
            click.echo(one_line(f"{finding['name']}: {mark}: {finding['text']}"))
    if not good:
        raise found_wrong(*_wrong(store, findings))


@command.command(
    "backup",
    epilog=example(
        "tmcwatch store backup /backups/tmcwatch.db --config tmcwatch.yaml",
        "tmcwatch store backup /backups/tmcwatch.db --force --config tmcwatch.yaml",
    ),
)
@click.argument("target", metavar="PATH", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace what is at PATH.")
@config_option
@json_option
def backup(*, target: Path, force: bool, path: Path, as_json: bool) -> None:
    """Copy the store to PATH, also while tmcwatch runs.

    The copy is one file, of one moment, and appears under its name when it is whole. Its owner may
    read it, its group as far as the umask lets it, and nobody else.
    """
    from tmcwatch.store.copying import copy  # noqa: PLC0415
    from tmcwatch.store.engine import StoreError  # noqa: PLC0415

    store = _store_of(path)
    # A link goes on leading to where it led.
    target = target.resolve()
    _require_free(target, store, force=force)
    try:
        with progress(f"copying to {target.name}") as told:
            size = copy(store, target, told=told)
    except StoreError as error:
        raise unreachable(f"store: {error}") from error
    if as_json:
        print_json({"store": str(store), "backup": str(target), "bytes": size})
        return
    click.echo(one_line(f"{store}: copied to {target} ({size:,} bytes)"))


@command.command(
    "restore",
    epilog=example(
        "tmcwatch store restore /backups/tmcwatch.db --config tmcwatch.yaml",
        "tmcwatch store restore tmcwatch.db.before-0005 --config tmcwatch.yaml",
    ),
)
@click.argument(
    "source", metavar="PATH", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@config_option
@json_option
def restore(*, source: Path, path: Path, as_json: bool) -> None:
    """Make the back-up at PATH the store, if it is good.

    tmcwatch must be stopped. The store that was there is kept beside it, its name ending in
    `.replaced-` and the moment.
    """
    from tmcwatch.app import real_world  # noqa: PLC0415
    from tmcwatch.store import restoring  # noqa: PLC0415
    from tmcwatch.store.engine import StoreError  # noqa: PLC0415

    store = _store_of(path, must_exist=False)
    _require_other(source, store)
    findings = _examined(source)
    if not all(finding["ok"] for finding in findings):
        raise found_wrong(*_wrong(source, findings), f"{store}: was not touched")
    now = real_world(os.environ).now()
    try:
        with progress(f"restoring from {source.name}") as told:
            done = restoring.restore(source, store, now=now, told=told)
    except StoreError as error:
        raise unreachable(f"store: {error}") from error
    kept = str(done.kept) if done.kept else None
    if as_json:
        print_json({"store": str(store), "from": str(source), "bytes": done.size, "kept": kept})
        return
    before = f"; what was there is {kept}" if kept else "; there was none before"
    click.echo(one_line(f"{store}: restored from {source} ({done.size:,} bytes){before}"))


def _store_of(path: Path, *, must_exist: bool = True) -> Path:
    """Answer with the store's file; what else the configuration names need not be there."""
    from tmcwatch.config import ConfigError, load  # noqa: PLC0415
    from tmcwatch.store.engine import path_of  # noqa: PLC0415

    try:
        config = load(path, environ=os.environ)
    except ConfigError as error:
        raise wrong_usage(*map(str, error.problems)) from error
    store = path_of(config.store.url).resolve()
    if not store.parent.is_dir():
        raise unreachable(f"store: {store}: there is no folder {store.parent}")
    if must_exist and not store.exists():
        raise unreachable(f"store: {store}: there is no such file; tmcwatch makes it at its start")
    return store


def _require_free(target: Path, store: Path, *, force: bool) -> None:
    _require_other(target, store)
    if not target.parent.is_dir():
        raise wrong_usage(f"tmcwatch store backup: there is no folder {target.parent}")
    if target.exists() and not force:
        raise wrong_usage(f"tmcwatch store backup: {target} is there already: --force replaces it")


def _require_other(path: Path, store: Path) -> None:
    is_same = path.resolve() == store
    if is_same or (path.exists() and store.exists() and path.samefile(store)):
        raise wrong_usage(f"tmcwatch store: {path} is the store itself: name another file")


def _examined(store: Path) -> list[dict[str, str | bool]]:
    from tmcwatch.store.engine import StoreError  # noqa: PLC0415
    from tmcwatch.store.examining import examined  # noqa: PLC0415

    try:
        with progress(f"checking {store.name}"):
            found = examined(store)
    except StoreError as error:
        raise unreachable(f"store: {error}") from error
    return [{"name": one.name, "ok": one.is_good, "text": one.text} for one in found]


def _wrong(store: Path, findings: list[dict[str, str | bool]]) -> list[str]:
    return [f"{store}: {one['name']}: {one['text']}" for one in findings if not one["ok"]]
