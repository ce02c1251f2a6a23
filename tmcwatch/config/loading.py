"""Loading a configuration: read, fill in, check as a whole, and say all that is wrong at once."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from tmcwatch.config.authorities import authority_problems
from tmcwatch.config.crosschecks import crosschecks
from tmcwatch.config.document import Document, Plain, document_from
from tmcwatch.config.explaining import at_item, explained
from tmcwatch.config.interpolation import (
    FileProblem,
    Sources,
    content_of,
    referenced_files,
    text_of,
)
from tmcwatch.config.model import Account, Config
from tmcwatch.config.problems import ConfigError, KeyPath, Places, Problem, key_text
from tmcwatch.config.receivers import (
    config_model,
    kinds,
    kinds_in,
    options_of,
    problems_of,
    receiver_files,
    unusable_kinds,
)
from tmcwatch.config.rule_checks import rule_problems, written_rules
from tmcwatch.config.rule_files import complaints, rule_documents, rules_in
from tmcwatch.config.rule_settings import RuleSetting
from tmcwatch.telemetry.logs import redact

Found = Iterator[tuple[KeyPath, str]]


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Read a configuration; raises ConfigError with everything that is wrong with it."""
    document = _document(path, environ)
    used = kinds_in(_receivers(document))
    unusable = unusable_kinds(used)
    _note(document, _uses(document, unusable))
    model = config_model(frozenset(used - unusable.keys()))
    config = None
    try:
        config = model.model_validate(document.value, context=_context(document))
    except ValidationError as error:
        _note(document, explained(error, document, model))
    _note(document, crosschecks(document.value, kinds()))
    _note(document, _notifier_problems(document))
    filed, problems = _filed_rules(document)
    if config is None or document.problems or problems:
        # Without its cause, whose text may hold what an operator wrote, secrets included.
        raise ConfigError([*_ordered(document), *problems]) from None
    for secret in secrets_of(config):
        redact(secret)
    lines = {key_text(path): mark.line for path, mark in document.marks.items()}
    return config.placed(Places(file=str(path), lines=lines), filed)


def _filed_rules(config: Document) -> tuple[tuple[RuleSetting, ...], list[Problem]]:
    """Answer with the rules of all rule files, and with what is wrong in these files.

    What is wrong with the config's own rules, which are checked together with them, it is told.
    """
    read = tuple(rule_documents(config))
    broken = [one for one in read if isinstance(one, ConfigError)]
    documents = [one for one in read if isinstance(one, Document)]
    rules: list[RuleSetting] = []
    for document in documents:
        try:
            rules.extend(rules_in(document))
        except ValidationError as error:
            _note(document, complaints(error, document))
    for document, path, text in rule_problems(written_rules([config, *documents])):
        _note(document, iter([(path, text)]))
    told = [problem for error in broken for problem in error.problems]
    return tuple(rules), [*told, *(problem for one in documents for problem in _ordered(one))]


def _ordered(document: Document) -> list[Problem]:
    return sorted(document.problems, key=lambda p: (p.line or 0, p.column or 0, p.key))


def check_files(config: Config) -> list[Problem]:
    """Answer with the files that the config names and that cannot be used."""
    named = chain(
        *(_files_of(account, f"accounts[{i}]") for i, account in enumerate(config.accounts)),
        ((token.file, f"http.tokens[{i}].file") for i, token in enumerate(config.http.tokens)),
    )
    found = ((file, key, _file_problem(file)) for file, key in named if file is not None)
    told = [config.places.problem(key, f"{file}: {text}") for file, key, text in found if text]
    return [*told, *_receiver_problems(config), *authority_problems(config)]


def _receiver_problems(config: Config) -> Iterator[Problem]:
    for file, key in receiver_files(config):
        text = _file_problem(file)
        if text:
            yield config.places.problem(key, f"{file}: {text}")


def _files_of(account: Account, key: str) -> Iterator[tuple[Path | None, str]]:
    yield account.token_file, f"{key}.token_file"
    if account.service_account is not None:
        yield account.service_account.secret_file, f"{key}.service_account.secret_file"


def fingerprint(path: Path, *more: Path) -> str:
    """Answer with a text that changes when the file changes, or a file that it refers to.

    So it does with `more` files, which may refer to others as well. One that cannot be read has
    a fingerprint too: this never fails.
    """
    digest = hashlib.sha256()
    for file in (path, *more):
        content = _content_or_reason(file)
        text = content.decode("utf-8", errors="replace")
        files = referenced_files(text, path.absolute().parent)
        for one in (content, *(_content_or_reason(referred) for referred in files)):
            digest.update(hashlib.sha256(one).digest())
    return digest.hexdigest()


def secrets_of(value: object) -> Iterator[str]:
    """Answer with every secret in a configuration."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
            yield from _password_in(value.get_secret_value())
        case BaseModel():
            for name in type(value).model_fields:
                yield from secrets_of(getattr(value, name))
        case dict():
            yield from secrets_of(tuple(value.values()))
        case tuple() | list():
            for item in value:
                yield from secrets_of(item)
        case _:
            pass


def _password_in(secret: str) -> Iterator[str]:
    """Answer with the password of an address: it may be shown alone, and in plain letters."""
    try:
        password = urlsplit(secret).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}


def _document(path: Path, environ: Mapping[str, str]) -> Document:
    sources = Sources(environ=environ, folder=path.absolute().parent)
    try:
        text = text_of(path)
    except FileProblem as problem:
        raise ConfigError([Problem(file=str(path), text=str(problem))]) from problem
    return document_from(text, file=str(path), sources=sources)


def _receivers(document: Document) -> Plain:
    return document.value.get("receivers") if isinstance(document.value, dict) else None


def _context(document: Document) -> dict[str, Path]:
    return {"folder": document.sources.folder}


def _note(document: Document, found: Found) -> None:
    """Add what was found, but not where something was wrong already."""
    new = [(path, text) for path, text in found if not _is_broken(document, path)]
    for path, text in new:
        document.reject(path, text)


def _is_broken(document: Document, path: KeyPath) -> bool:
    return any(broken and path[: len(broken)] == broken for broken in document.broken)


def _notifiers(document: Document) -> Iterator[tuple[KeyPath, str, Plain]]:
    """Answer with the place, the kind and the options of each notifier, as written."""
    receivers = _receivers(document)
    for i, receiver in enumerate(receivers if isinstance(receivers, list) else []):
        for kind, value in receiver.items() if isinstance(receiver, dict) else ():
            if kind in kinds():
                yield ("receivers", i, kind), kind, value


def _uses(document: Document, unusable: Mapping[str, str]) -> Found:
    for path, kind, _ in _notifiers(document):
        if kind in unusable:
            yield path, unusable[kind]


def _notifier_problems(document: Document) -> Found:
    """Ask each kind of notifier about its options, where these have the right form."""
    for path, kind, value in _notifiers(document):
        if value is not None and not _has_broken(document, path):
            for text in _option_problems(document, kind, value):
                yield at_item(path, text)


def _has_broken(document: Document, path: KeyPath) -> bool:
    return any(broken[: len(path)] == path for broken in document.broken)


def _option_problems(document: Document, kind: str, value: Plain) -> list[str]:
    try:
        options = options_of(kind).model_validate(value, context=_context(document))
    except ValidationError:
        return []  # told already, as the whole file was checked
    return problems_of(kind, options)


def _file_problem(file: Path) -> str:
    try:
        return "" if content_of(file).strip() else "the file is empty"
    except FileProblem as problem:
        return str(problem)


def _content_or_reason(file: Path) -> bytes:
    try:
        return content_of(file)
    except FileProblem as problem:
        return str(problem).encode()
