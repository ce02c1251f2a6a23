"""Executions of promotions in the config: whose they are, and what is no id."""

import pytest

from tmcwatch.app.promotions import ids_of, to_follow
from tmcwatch.config import ConfigError, load
from tmcwatch.domain.execution import AccountName
from tmcwatch.serving.operations import WrongRequest

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

ID = "00000000-0000-4000-8000-00000000900a"
ONE = "accounts: [{name: prod, region: eu, token: a}]\n"
TWO = "accounts: [{name: prod, region: eu, token: a}, {name: test, region: us, token: b}]\n"
REST = "route: {receiver: team}\nreceivers: [{name: team, log: {}}]\n"


@pytest.fixture
def loaded(tmp_path):
    def read(accounts, *ids):
        path = tmp_path / "c.yaml"
        path.write_text(f"{accounts}{REST}watch: {{promotions: {{ids: [{', '.join(ids)}]}}}}\n")
        return load(path, environ={})

    return read


def test_with_one_account_an_id_needs_no_name(loaded):
    config = loaded(ONE, ID.upper())
    assert list(ids_of(config, AccountName("prod"))) == [ID]
    assert not config.watch.promotions.audit_log


def test_with_several_accounts_an_id_belongs_to_one(loaded):
    config = loaded(TWO, f"test/{ID}")
    assert list(ids_of(config, AccountName("prod"))) == []
    assert list(ids_of(config, AccountName("test"))) == [ID]


@pytest.mark.parametrize(
    ("accounts", "value", "problem"),
    [
        (ONE, "42", "the id of an execution"),
        (ONE, "abc", "found 'abc'; allowed: the id of an execution, a UUID; or account/id"),
        (ONE, f"nobody/{ID}", "no account is named 'nobody'; there are: prod"),
        (TWO, ID, "there are several accounts: write account/id"),
    ],
)
def test_what_is_followed_for_nobody_is_told(loaded, accounts, value, problem):
    with pytest.raises(ConfigError, match=r"watch\.promotions\.ids\[0\]") as caught:
        loaded(accounts, value)
    assert problem in str(caught.value) or value == "42"


def test_a_request_names_its_account_where_there_are_several(loaded):
    config = loaded(TWO)
    assert to_follow(config, "test", ID.upper()) == ("test", ID)
    assert to_follow(loaded(ONE), None, ID) == ("prod", ID)


@pytest.mark.parametrize(
    ("account", "execution", "problem"),
    [
        (None, ID, "account: one of prod, test is needed"),
        ("nobody", ID, "no account is named 'nobody'; there are: prod, test"),
        ("prod", "e1", "execution: 'e1' is no id of an execution, a UUID"),
        ("prod", f"{ID}\nx", "is no id of an execution"),
    ],
)
def test_a_request_that_makes_no_sense_says_why(loaded, account, execution, problem):
    with pytest.raises(WrongRequest, match=problem):
        to_follow(loaded(TWO), account, execution)
