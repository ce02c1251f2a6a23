"""Who may ask and who may change."""

import base64

import pytest

from tests.serving.daemon import CHANGER, READER
from tmcwatch.serving.access import AccessToken, May, Scheme, refusal


def basic(login):
    return f"Basic {base64.b64encode(login.encode()).decode()}"


READINGS = [
    "status",
    "alerts",
    "transitions",
    "deliveries",
    "deliveries/pending",
    "deliveries/dead",
]
CHANGES = ["/-/reload", "/api/v1/notify-test", "/api/v1/deliveries/replay"]


@pytest.mark.parametrize("path", READINGS)
@pytest.mark.parametrize("tokens", [(), (CHANGER,)], ids=["no-token", "change-token"])
async def test_reading_is_open_without_a_token_that_may_only_read(ask, path, tokens):
    assert (await ask("GET", f"/api/v1/{path}", tokens=tokens)).status_code == 200


@pytest.mark.parametrize("path", READINGS)
async def test_reading_needs_a_token_once_one_that_may_only_read_is_configured(ask, path):
    answer = await ask("GET", f"/api/v1/{path}", tokens=(READER,))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    for token in (READER, CHANGER):
        answer = await ask("GET", f"/api/v1/{path}", tokens=(READER, CHANGER), token=token)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/-/healthy"])
async def test_scrapers_and_probes_need_no_token(ask, path):
    assert (await ask("GET", path, tokens=(READER, CHANGER))).status_code == 200


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("tokens", [(), (READER,)], ids=["no-token", "read-token"])
async def test_changing_is_off_without_a_token_for_it(ask, path, tokens):
    answer = await ask("POST", path, tokens=tokens, token=READER)
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("off: no token configured")


@pytest.mark.parametrize("path", CHANGES)
async def test_changing_needs_the_right_token(ask, path):
    for token in (None, "", "wrong", "c-secret", "é"):
        answer = await ask("POST", path, tokens=(READER, CHANGER), token=token)
        assert answer.status_code == 401, token
    answer = await ask("POST", path, tokens=(READER, CHANGER), token=READER)
    assert (answer.status_code, answer.json()["error"]) == (403, "token dashboard may only read")


@pytest.mark.parametrize("scheme", ["Basic", "", "Bearer"])
def test_only_a_bearer_with_a_secret_counts(scheme):
    nothing = AccessToken(name="empty", secret="", may=May.CHANGE)
    refused = refusal(f"{scheme} ", [nothing], needed=May.CHANGE)
    assert refused is not None
    assert refused.status == 401


@pytest.mark.parametrize("scheme", Scheme)
def test_a_token_counts_only_as_it_is_to_be_sent(scheme):
    plain = AccessToken(name="plain", secret="c2VjcmV0", may=May.CHANGE)
    sent = {Scheme.BEARER: "Bearer c2VjcmV0", Scheme.BASIC: basic("ann:c2VjcmV0")}
    others = [
        "Token c2VjcmV0",
        "Basic c2VjcmV0",
        *(text for one, text in sent.items() if one is not scheme),
    ]
    assert refusal(sent[scheme], [plain], needed=May.CHANGE, scheme=scheme) is None
    for other in others:
        assert refusal(other, [plain], needed=May.CHANGE, scheme=scheme) is not None, other


@pytest.mark.parametrize(
    "given", ["", "Basic", "Basic !", "Basic YW5u", basic("ann:"), basic(":")]
)
def test_a_login_without_a_password_is_none(given):
    assert refusal(given, [CHANGER], needed=May.CHANGE, scheme=Scheme.BASIC) is not None


async def test_no_answer_and_no_text_shows_a_secret(ask):
    answer = await ask("POST", "/-/reload", tokens=(READER, CHANGER), token=READER)
    for secret in (READER.secret, CHANGER.secret):
        assert secret not in answer.text + str(answer.headers) + repr((READER, CHANGER))
