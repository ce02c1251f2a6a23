"""The files of certificate authorities: named by the config, checked and followed like it."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from tmcwatch.config.interpolation import FileProblem, content_of
from tmcwatch.config.model import Config
from tmcwatch.config.problems import Problem


def authority_files(config: Config) -> tuple[Path, ...]:
    return tuple(one.ca_file for one in config.accounts if one.ca_file is not None)


def authority_problems(config: Config) -> Iterator[Problem]:
    """Answer with the files from which no authority can be read, and where they are named."""
    for i, account in enumerate(config.accounts):
        text = _problem(account.ca_file) if account.ca_file is not None else ""
        if text:
            yield config.places.problem(f"accounts[{i}].ca_file", f"{account.ca_file}: {text}")


def _problem(file: Path) -> str:
    try:
        content = content_of(file)
    except FileProblem as problem:
        return str(problem)
    if not content.strip():
        return "the file is empty"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "the file holds no certificates in PEM, or a broken one"
    return "" if context.cert_store_stats()["x509"] else "the file holds no certificate"
