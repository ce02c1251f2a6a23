"""Where the token comes from, and that it never shows."""

import json
import os
from pathlib import Path

import pytest

from tests.threads import inline
from tmcwatch.api.errors import TokenProblem, Unauthorized
from tmcwatch.api.token import TokenFile, TokenText, bearer


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "token"
    path.write_text("  first\n")
    return path


def token_in(path: Path):
    return TokenFile(path, in_thread=inline)


async def test_a_token_is_stripped(file):
    assert await TokenText(" given \n").current() == "given"
    assert await token_in(file).current() == "first"


async def test_a_token_never_shows(file):
    token = token_in(file)
    await token.current()
    assert "first" not in repr(token)
    assert "given" not in repr(TokenText("given"))


async def test_a_token_given_as_text_stays():
    assert not await TokenText("given").reread("given")


async def test_a_file_read_anew_by_another_asker_is_another_token_too(file):
    token = token_in(file)
    refused = await token.current()
    file.write_text("second-longer")
    await token.current()
    assert await token.reread(refused)


async def test_a_problem_names_what_the_file_should_hold(file):
    file.write_text("two words")
    with pytest.raises(TokenProblem, match=r"secret: .*characters that no secret has"):
        await TokenFile(file, in_thread=inline, what="secret").current()


@pytest.mark.parametrize(
    "shown",
    ['a/+"&b', json.dumps('a/+"&b'), r"a\/+\"&b", "a%2F%2B%22%26b", "a/+&quot;&amp;b"],
)
def test_a_credential_is_hidden_however_a_text_spells_it(shown):
    text = bearer('a/+"&b').hidden_in(f"no {shown} here")
    assert "***" in text
    assert "a" not in text.replace("here", "")


def test_a_credential_never_shows():
    assert "given" not in repr(bearer("given"))


async def test_a_changed_file_is_read_again(file):
    token = token_in(file)
    await token.current()
    file.write_text("second-longer")
    assert await token.current() == "second-longer"


async def test_a_file_that_stays_the_same_is_not_read_again(file):
    token = token_in(file)
    await token.current()
    before = file.stat()
    file.write_text("  other\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await token.current() == "first"


async def test_rereading_tells_whether_there_is_another_token(file):
    token = token_in(file)
    await token.current()
    assert not await token.reread("first")
    before = file.stat()
    file.write_text("  other\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await token.reread("first")
    assert await token.current() == "other"


async def test_a_file_that_is_missing_is_named(file):
    file.unlink()
    with pytest.raises(TokenProblem, match=f"cannot read {file}: No such file") as caught:
        await token_in(file).current()
    assert isinstance(caught.value, Unauthorized)
    with pytest.raises(TokenProblem, match=str(file)):
        await token_in(file).reread("first")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b" \n", "is empty"),
        (b"two words", "characters that no token has"),
        ("tök".encode(), "characters that no token has"),
        (b"a\0b", "characters that no token has"),
        (b"\xff\xfe", "is not text"),
        (b"x" * 20_000, "too long"),
    ],
)
async def test_a_file_without_a_token_is_named_and_its_content_is_not(file, content, problem):
    file.write_bytes(content)
    with pytest.raises(TokenProblem, match=f"{file} .*{problem}") as caught:
        await token_in(file).current()
    assert "words" not in str(caught.value)


def test_a_text_that_is_no_token_is_refused_at_once():
    with pytest.raises(TokenProblem, match="the token is empty"):
        TokenText(" ")


async def test_a_byte_order_mark_is_no_part_of_a_token(file):
    file.write_bytes(b"\xef\xbb\xbftoken")
    assert await token_in(file).current() == "token"
