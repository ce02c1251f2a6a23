"""Write the sample messages as they are told: `python -m tests.delivering.rendered`.

The files lie in `tests/delivering/samples/`, to be read by people; a test holds the code to them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from apprise.conversion import convert_between

from tmcwatch.delivering import words_for
from tmcwatch.delivering.samples import SAMPLES
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers.apprise import _alone, _service
from tmcwatch.notifiers.apprise.fitting import Fitting

FOLDER = Path(__file__).parent / "samples"
PARIS = ZoneInfo("Europe/Paris")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
SMS = f"twilio://AC{'a' * 32}:{'b' * 32}@15551233267/15551233268"


def rendered(name: str) -> Iterator[tuple[str, str]]:
    """Answer with the files of one sample message: their names and contents."""
    words = words_of(SAMPLES[name])
    yield f"{name}.txt", f"{words.title} [{words.reference}]\n\n{words.text}\n"
    yield f"{name}.md", f"{words.markdown}\n"
    yield f"{name}.html", f"{words.html}\n"
    yield f"{name}.mail.txt", f"{convert_between('html', 'text', words.html)}\n"
    yield f"{name}.sms.txt", f"{sms(words)}\n"
    payloads = {"slack": slack(words), "slack with blocks=yes": slack(words, "?blocks=yes")}
    yield f"{name}.slack.json", json.dumps(payloads, indent=2, ensure_ascii=False) + "\n"


def words_of(message: Message) -> Words:
    return words_for(message, time_zone=PARIS)


def slack(words: Words, query: str = "") -> dict[str, Any]:
    """Answer with what is posted to Slack."""
    service = _service(f"{SLACK}{query}")
    posted: list[dict[str, Any]] = []

    def send(_url: str, payload: dict[str, Any]) -> dict[str, Any]:
        posted.append(payload)
        return {"ok": True}

    service._send = send
    _notify(service, words)
    (payload,) = posted
    for attachment in payload["attachments"]:
        attachment.pop("ts", None)
    return payload


def sms(words: Words) -> str:
    """Answer with the 160 characters that a text message has room for."""
    service = _service(SMS)
    sent: list[str] = []

    def send(body: str, **_options: object) -> bool:
        sent.append(body)
        return True

    service.send = send
    _notify(service, words)
    return sent[0].replace("\r\n", "\n")


def _notify(service: Any, words: Words) -> None:
    letter = Fitting(service).letter(words)
    assert _alone(service).notify(
        title=letter.title, body=letter.body, body_format=letter.body_format
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for sample in SAMPLES:
        for file, content in rendered(sample):
            (FOLDER / file).write_text(content, encoding="utf-8")
