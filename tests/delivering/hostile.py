"""Texts as an enemy would choose them for a task's name or an error."""

from hypothesis import strategies as st

from tmcwatch.domain.harmless import plain

MARKUP = "<>&\"'`*_[]()#|~!\\\n\r\t -+=.1@$:/{}^%;x"
WORST = (
    "<!channel> <@U024BE7LH> <#C024BE7LR>",
    "@here @channel @everyone @all @ann",
    "</td><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[a](javascript:b) ![i](http://evil.example/i.png) [r][1]",
    "<http://evil.example|click> <a href=http://evil.example>click</a>",
    "&lt;script&gt; &#60;script&#62; &amp;lt;b&amp;gt;",
    "`" * 9 + " ``` ~~~ ***b*** __i__ ~~s~~",
    "# h\n## h\n- l\n1. l\n> q\n---\n===\n    code\n| a | b |\n|---|---|",
    "\u202etxt.exe\u2066\u200f\u061c\x00\x1b[31m\x07\ud800",
    "\r\nBcc: all@example.org\r\n\r\nbody",
    "{{ 7 * 7 }} {% raw %} ${HOME} %(x)s",
    "x" * 1_000_000,
    "<b>" * 300_000,
    "\u0300" * 5_000,
)

HOSTILE = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text(MARKUP, max_size=60),
    st.sampled_from(WORST),
    st.lists(st.sampled_from([text[:200] for text in WORST]), max_size=3).map("".join),
)


def calls_nobody(text: str) -> bool:
    """Tell whether no chat would call people who read the text."""
    return plain(text.replace("\n", " ")) == text.replace("\n", " ").strip()
