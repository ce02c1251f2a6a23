"""Makes hostile texts harmless, whatever shows them: one line, no controls, nobody called."""

import re

SPACES = re.compile(r"[\s\u2028\u2029\x1c-\x1f\x85]+")
# Controls, marks that turn the direction of the text around, invisible tags, lone surrogates.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
# Words and marks by which chats call people: `@here`, `@ann`, `<!channel>`, `<@U024BE7LH>`. The
# `@` of an e-mail address follows a letter and calls nobody.
_CALLS = re.compile(
    r"(?i)[@\uff20](?=(?:everyone|here|channel|all)\b)|(?<!\w)[@\uff20](?=\w)|<(?=[!@#])"
)
# What begins a tag where a text is taken for HTML; an `a < b` does not.
_TAGS = re.compile(r"<(?=[A-Za-z/!?])")


def plain(text: str) -> str:
    """Answer with one line without controls, which cannot call people in a chat."""
    line = _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", SPACES.sub(" ", text)).strip()
    return _CALLS.sub("\\g<0>\N{WORD JOINER}", line)


def tagless(text: str) -> str:
    """Answer with a text that reads the same, and holds no tag if it is taken for HTML."""
    return _TAGS.sub("\\g<0>\N{WORD JOINER}", text)


def cut(text: str, longest: int) -> str:
    """Answer with the beginning of a text; what is beyond is not even looked at."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
