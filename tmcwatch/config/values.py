"""Values that are more than text: names, addresses, links, matchers, paths, time zones."""

import re
import zoneinfo
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Annotated
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from tmcwatch.config.problems import suggestion, wrong
from tmcwatch.domain.built_in import BUILT_IN, WATCHING
from tmcwatch.domain.matcher import Matcher, MatcherError, matcher_from
from tmcwatch.domain.promotion import execution_id
from tmcwatch.domain.sentence import fields_in

RESERVED_LABELS = frozenset(
    {
        *("alertname", "rule", "severity", "account", "environment", "workspace"),
        *("kind", "id", "name", "trigger", "reason", "engine"),
    }
)
PLACEHOLDERS = ("environment_id", "workspace_id", "kind", "id", "execution_id", "region")
DEFAULT_SHARE = 0.2
DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NAME = 64
_HIGHEST_PORT = 65_535


def address_of(region: str) -> str:
    """Answer with the address of TMC's API in a region."""
    return f"https://api.{region}.cloud.talend.com"


def way_to(address: str, proxy: str | None) -> str:
    """Name how an address is reached, however it is written and without a proxy's credentials."""
    parts = urlsplit(address)
    usual = DEFAULT_PORTS.get(parts.scheme)
    name = f"{parts.scheme}://{_host(parts, usual)}{parts.path}"
    return name if proxy is None else f"{name} by {_host(urlsplit(proxy))}"


def _host(parts: SplitResult, usual: int | None = None) -> str:
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.hostname}{port}"


def _name(value: str) -> str:
    plain = value.isprintable() and value == value.strip() and "/" not in value
    if not value or not plain or len(value) > _LONGEST_NAME:
        raise wrong(value, f"a name of 1 to {_LONGEST_NAME} characters, without a slash")
    return value


def _place(value: str) -> str:
    if not value or not value.isprintable() or value != value.strip():
        raise wrong(value, "a name or an id as TMC shows it")
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) or value.startswith("__"):
        raise wrong(value, "a label name: letters, digits and _, not beginning with a digit or __")
    return value


def _own_label(value: str) -> str:
    if value in RESERVED_LABELS:
        raise wrong(
            value, f"any label but those of tmcwatch: {', '.join(sorted(RESERVED_LABELS))}"
        )
    return _label(value)


def _rule(value: str) -> str:
    if value not in BUILT_IN:
        raise wrong(value, ", ".join(BUILT_IN) + "." + suggestion(value, BUILT_IN))
    return value


def _own_rule(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value) or len(value) > _LONGEST_NAME:
        raise wrong(value, f"a name of small letters, digits and _, at most {_LONGEST_NAME}")
    if value in BUILT_IN or value == WATCHING.name:
        raise wrong(value, "a name that no built-in rule has; to change that one, write rule:")
    return value


def _rule_text(value: str) -> str:
    try:
        fields_in(value)
    except ValueError as error:
        raise wrong(value, f"a text with fields such as {{name}} ({error})") from error
    return value


def _web_parts(value: str) -> SplitResult | None:
    """Take an address apart; None where it is none. urlsplit would drop spaces silently."""
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    plain = re.fullmatch(r"[!-~]+", value) is not None
    return parts if plain and usable and parts.scheme in {"http", "https"} else None


def _web_url(value: str) -> str:
    parts = _web_parts(value)
    if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        # Without what was found: it may hold a password.
        raise wrong(
            "something else", "an http:// or https:// address without user, query or fragment"
        )
    return value.rstrip("/")


def _proxy(value: SecretStr) -> SecretStr:
    """Refuse what is no address of a proxy, without showing it."""
    parts = _web_parts(value.get_secret_value())
    if parts is None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise wrong(
            "something else",
            # Not one address with a password in it: the log would redact that in an example, too.
            "a proxy such as http://host:3128, or https://; with user:password@ before the host "
            "where it asks for them, percent-encoded where the password has other characters than "
            "letters and digits",
        )
    return value


def _external_url(value: str) -> str:
    return _web_url(value) if value else ""


def _link(value: str) -> str:
    if value in {"default", "off"}:
        return value
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    allowed = f"default, off, or an http(s) address with any of {known}"
    try:
        parts = list(Formatter().parse(value))
    except ValueError as error:
        raise wrong(value, allowed) from error
    names = [(name, spec, conversion) for _, name, spec, conversion in parts if name is not None]
    plain = all(name in PLACEHOLDERS and not spec and not conv for name, spec, conv in names)
    if not plain or not value.startswith(("http://", "https://")) or not value.isprintable():
        raise wrong(value, allowed)
    return value


def _listen(value: str) -> str:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", value)
    if found is None or int(found[2]) > _HIGHEST_PORT:
        raise wrong(value, "host:port, such as 127.0.0.1:10477 or [::1]:10477")
    return value


def _token(value: SecretStr) -> SecretStr:
    """Refuse what cannot stand in a header, without showing it."""
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise wrong("something else", "a token: printable ASCII characters without spaces")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise wrong("something else", "a secret: printable ASCII characters without spaces")
    return value


def _service_account_id(value: str) -> str:
    # A colon would end it: it is sent as `id:secret`.
    if not re.fullmatch(r"[!-~]+", value) or ":" in value:
        raise wrong(
            "something else", "an id: printable ASCII characters without spaces and colons"
        )
    return value


def _audience(value: str) -> str:
    """Leave the address as it is: a slash at its end may be meant."""
    _web_url(value)
    return value


def _matcher(value: object) -> Matcher:
    if isinstance(value, Matcher):
        return value
    allowed = 'a matcher such as severity="critical" or name=~"load_.*"'
    if not isinstance(value, str):
        raise wrong(value, allowed)
    try:
        return matcher_from(value)
    except (MatcherError, OverflowError, RecursionError) as error:
        raise wrong(value, f"{allowed} ({error})") from error


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise wrong(value, "a day such as 2027-05-01") from None


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (KeyError, ValueError, OSError) as error:
        near = suggestion(str(value), zoneinfo.available_timezones())
        allowed = f"a time zone of the IANA list, such as UTC or Europe/Paris.{near}"
        raise wrong(value, allowed) from error


def _path(value: object, info: ValidationInfo) -> Path:
    """Relative paths start at the folder of the config file, which comes as the context."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise wrong(value, "the path of a file")
    return folder_of(info) / value


def _store_url(value: str, info: ValidationInfo) -> str:
    name = value.removeprefix("sqlite:///")
    unusable = not name or name == value or name.endswith("/") or name.startswith((":", "file:"))
    if unusable or not value.isprintable() or "?" in value:
        raise wrong(value, "a SQLite file: sqlite:///relative.db or sqlite:////absolute/path.db")
    return f"sqlite:///{folder_of(info) / name}"


def folder_of(info: ValidationInfo) -> Path:
    context = info.context
    folder = context.get("folder") if isinstance(context, dict) else None
    return folder if isinstance(folder, Path) else Path()


def _number(value: object) -> object:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise wrong(value, "a number")
    return value


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value) or ("..." in value and len(value) > 1):
        raise wrong(list(value), 'each label once, or ["..."] alone for all labels')
    return value


def _some(value: tuple[object, ...]) -> tuple[object, ...]:
    # Not pydantic's min_length, which also speaks up where an item of the list is wrong.
    if not value:
        raise wrong([], "at least one entry")
    return value


def _promotion_run(value: str) -> str:
    account, _, identity = value.rpartition("/")
    found = execution_id(identity)
    if found is None:
        raise wrong(value, "the id of an execution, a UUID; or account/id")
    return f"{account}/{found}" if account else found


def _grouping_label(value: str) -> str:
    return value if value == "..." else _label(value)


def off_is_none(value: object) -> object:
    """Read `off` as None, also where YAML reads it as false; a key left empty has its defaults."""
    if value is None:
        return {}
    return None if value is False or value == "off" else value


SOME = (AfterValidator(_some), Field(json_schema_extra={"minItems": 1}))
"""Makes an annotation of a tuple one that must not be empty."""

Name = Annotated[
    str,
    AfterValidator(_name),
    Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_NAME}),
]
Place = Annotated[str, AfterValidator(_place), Field(json_schema_extra={"minLength": 1})]
AnyLabel = Annotated[str, AfterValidator(_label)]
LabelName = Annotated[str, AfterValidator(_own_label)]
GroupBy = Annotated[
    tuple[Annotated[str, AfterValidator(_grouping_label)], ...], AfterValidator(_distinct)
]
PromotionRun = Annotated[str, AfterValidator(_promotion_run)]
RuleName = Annotated[
    str, AfterValidator(_rule), WithJsonSchema({"type": "string", "enum": list(BUILT_IN)})
]
OwnRuleName = Annotated[
    str,
    AfterValidator(_own_rule),
    Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]*$", "maxLength": _LONGEST_NAME}),
]
RuleText = Annotated[str, AfterValidator(_rule_text)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
ExternalUrl = Annotated[str, AfterValidator(_external_url)]
Proxy = Annotated[SecretStr, AfterValidator(_proxy)]
Link = Annotated[str, AfterValidator(_link)]
Listen = Annotated[str, AfterValidator(_listen)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
ServiceAccountId = Annotated[str, AfterValidator(_service_account_id)]
Audience = Annotated[str, AfterValidator(_audience)]
Share = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1, allow_inf_nan=False)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
FileName = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
Condition = Annotated[Matcher, PlainValidator(_matcher), WithJsonSchema({"type": "string"})]
Day = Annotated[
    date,
    PlainValidator(_day),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
TimeZone = Annotated[
    ZoneInfo,
    PlainValidator(_zone),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
