"""What a kind of another package may do wrong: named, told or postponed, and never a crash."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from itertools import count

import anyio
import httpx
import pytest
import structlog

from tests.threads import inline
from tmcwatch import notifiers
from tmcwatch.config import ConfigError, load
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierCrashed, NotifierError, Outside, Receipt

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
MESSAGE = Message(
    key="key-1", receiver="team", group_key="g", group_labels={}, alerts=(), created_at=TEN
)
# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")
WORDS = Words(title="title", text="text", markdown="markdown", html="html")
OUTSIDE = Outside(http=httpx.AsyncClient, in_thread=inline, now=lambda: TEN)
NUMBERS = count()
CONFIG = """\
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers:
  - name: team
    %s: {perch: high}
"""
SOUND = """
from datetime import timedelta
import anyio
from pydantic import BaseModel, field_validator
from tmcwatch.notifiers import NotifierError, Receipt
IDEMPOTENT = True
class Options(BaseModel):
    perch: str
class Bird:
    async def send(self, message, words):
        return Receipt(text="sung")
    async def aclose(self):
        pass
def build(options, outside):
    return Bird()
def problems(options):
    return []
"""
OPTIONS = "    perch: str\n"
FAILS = "raise RuntimeError('hunter2')"


@pytest.fixture
def kind(tmp_path, monkeypatch):
    """Add a kind like the sound one, some of its text replaced; answers with its name."""

    def added(*replaced):
        source = SOUND
        for old, new in replaced:
            assert old in source
            source = source.replace(old, new)
        name = f"bird_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(notifiers, "KINDS", {**notifiers.KINDS, name: name})
        return name

    return added


def built(kind):
    # Beside all the others, whose modules may take the place of a name of the package.
    for other in notifiers._BUILT_IN:
        notifiers.options_of(other)
    options = notifiers.options_of(kind).model_validate({"perch": "high"})
    return notifiers.build(kind, options, OUTSIDE)


def problem_with(kind, folder):
    """Load a config that uses the kind; answers with what is wrong, after its line."""
    file = folder / "c.yaml"
    file.write_text(CONFIG % kind)
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    (problem,) = caught.value.problems
    assert problem.line == 5
    return f"{problem.key}: {problem.text}".replace(kind, "bird")


def test_a_kind_that_mirrors_says_how_often(kind):
    mirrors = "return []\ndef mirrors(options):\n    return timedelta(minutes=2)"
    assert mirrored_every(kind(("return []", mirrors))) == timedelta(minutes=2)
    assert mirrored_every(kind()) is None


def mirrored_every(kind):
    options = notifiers.options_of(kind).model_validate({"perch": "high"})
    assert notifiers.check(kind, options) == []
    return notifiers.mirrored_every(kind, options)


def test_a_kind_says_whether_it_is_told_one_by_one(kind):
    assert notifiers.is_one_by_one(kind(("IDEMPOTENT", "ONE_BY_ONE = IDEMPOTENT")))
    assert not notifiers.is_one_by_one(kind())


async def test_a_sound_kind_tells(kind):
    assert await built(kind()).send(MESSAGE, WORDS) == Receipt(text="sung")


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        (("IDEMPOTENT = True", "1 / 0"), "cannot be loaded: ZeroDivisionError: division by zero"),
        (("IDEMPOTENT = True", "a b"), "cannot be loaded: SyntaxError: invalid syntax"),
        (("IDEMPOTENT = True", ""), "has no IDEMPOTENT in bird"),
        (("def problems", "def other"), "has no problems in bird"),
        (("(BaseModel)", ""), "has Options that are no pydantic model"),
        (("IDEMPOTENT", "READS = 'markdwon'\nIDEMPOTENT"), "READS none of title, text, markdown"),
        ((OPTIONS, OPTIONS.replace("str", "len")), "cannot be loaded: PydanticSchemaG"),
        (("return []", FAILS), "cannot check its options: RuntimeError"),
        (("return []", "return None"), "cannot check its options: TypeError"),
        (
            ("return []", f"return []\ndef targets(options):\n    {FAILS}"),
            "cannot check its options: RuntimeError",
        ),
        (
            ("return []", "return []\ndef mirrors(options):\n    return 60"),
            "cannot check its options: TypeError",
        ),
        (
            (OPTIONS, f"{OPTIONS}    @field_validator('perch')\n    def f(cls, value): {FAILS}\n"),
            "cannot check its options: RuntimeError",
        ),
    ],
    ids=[
        *("import", "syntax", "no IDEMPOTENT", "no problems", "no model", "no words", "no type"),
        *("problems", "nothing", "targets", "mirrors", "validator"),
    ],
)
def test_a_kind_that_cannot_be_used_is_told_with_its_line(kind, tmp_path, replaced, said):
    told = problem_with(kind(replaced), tmp_path)
    assert told.startswith(f"receivers[0].bird: the notifier 'bird' {said}")
    assert "hunter2" not in told
    assert "\n" not in told


def test_what_is_wrong_with_its_options_is_told_as_of_any_other_kind(kind, tmp_path):
    name = kind(("return []", 'return [f"no perch is {options.perch}"]'))
    assert problem_with(name, tmp_path) == "receivers[0].bird: no perch is high"


@pytest.mark.parametrize(
    "failing",
    [
        FAILS,
        "raise NotifierError('x', permanent=False, retry_after=30)",
        "return Receipt(text=7)",
        "raise ExceptionGroup('hunter2', [ValueError('hunter2')])",
    ],
    ids=["bug", "no duration", "no text", "several"],
)
async def test_a_crash_of_a_send_is_a_refusal_that_names_the_kind(kind, failing):
    notifier = built(kind(('return Receipt(text="sung")', failing)))
    with structlog.testing.capture_logs() as lines, pytest.raises(NotifierCrashed) as caught:
        await notifier.send(MESSAGE, WORDS)
    assert caught.value.text.startswith("the notifier 'bird_")
    assert "hunter2" not in caught.value.text
    assert not caught.value.permanent
    assert [(line["event"], line["key"]) for line in lines] == [("notifier_crashed", "key-1")]


async def test_what_was_not_refused_is_told_even_without_a_receipt(kind):
    receipt = await built(kind(('return Receipt(text="sung")', "pass"))).send(MESSAGE, WORDS)
    assert receipt.text.endswith("gave no receipt")


async def test_its_own_refusal_stays_as_it_is(kind):
    refusal = "raise NotifierError('full', permanent=True, retry_after=timedelta(seconds=-5))"
    with pytest.raises(NotifierError) as caught:
        await built(kind(('return Receipt(text="sung")', refusal))).send(MESSAGE, WORDS)
    error = caught.value
    assert (error.text, error.permanent, error.retry_after) == ("full", True, timedelta(0))


async def test_one_that_cannot_be_built_postpones_what_it_should_tell(kind):
    notifier = built(kind(("return Bird()", FAILS)))
    with pytest.raises(NotifierError, match="could not be built: RuntimeError") as caught:
        await notifier.send(MESSAGE, WORDS)
    await notifier.aclose()
    assert not caught.value.permanent


@pytest.mark.parametrize("closing", [FAILS, "await anyio.sleep_forever()"])
async def test_one_that_cannot_be_closed_holds_up_nothing(kind, closing):
    notifier = built(kind(("        pass", f"        {closing}")))
    with anyio.fail_after(notifiers.CLOSE_WITHIN + 1):
        await notifier.aclose()


def test_no_package_can_replace_a_built_in_kind(monkeypatch):
    entries = [EntryPoint(name, "other", notifiers.GROUP) for name in ("log", "bird")]
    monkeypatch.setattr(notifiers, "entry_points", lambda group: entries if group else [])
    kinds = notifiers._kinds()
    assert (kinds["log"], kinds["bird"]) == ("tmcwatch.notifiers.log", "other")
