"""A file that is not good: every problem at once, with its place, and never a secret."""

import traceback
import warnings

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmcwatch.config import Config, ConfigError, load

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

HEAD = """\
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""
ENVIRON = {"SECRET": "s3cr3t-value", "EMPTY": "", "QUOTED": 'it\'s "se\\cret"'}


@pytest.fixture
def problems(tmp_path):
    """Load a text or bytes, and answer with what is told of it, without the folder's name."""

    def told(text):
        file = tmp_path / "c.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as caught:
            load(file, environ=ENVIRON)
        assert str(caught.value).splitlines() == [str(p) for p in caught.value.problems]
        return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]

    return told


@pytest.mark.parametrize(
    ("key", "scheme"), [("slack", "slack"), ("email_configs", "mailtos"), ("teams", "workflows")]
)
def test_a_service_that_apprise_reaches_is_told_with_its_url(problems, key, scheme):
    told = problems(HEAD.replace("log: {}", f"log: {{}}, {key}: x"))
    hint = f'write it as a URL: apprise: ["{scheme}://…"]'
    assert told == [f"c.yaml:3: receivers[0].{key}: unknown key; {hint}"]


def test_a_scope_is_of_names_as_tmc_shows_them(problems):
    told = problems(HEAD.replace("a-token", "a-token, environments: [PROD, ''], workspaces: x"))
    assert [one.split(": found")[0] for one in told] == [
        "c.yaml:1: accounts[0].environments[1]",
        "c.yaml:1: accounts[0].workspaces",
    ]


TWO = """\
accounts:
  - {name: a, region: eu, token: x, api_share: 0.1%s}
  - {name: b, region: %s, token: x%s}
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""


def test_accounts_of_one_address_share_a_budget_and_have_to_agree_on_it(problems):
    (told,) = problems(TWO % ("", "eu", ""))
    why = "it shares a budget with account 'a', which has an api_share of 0.1, not 0.2"
    allowed = "allowed: the same for both, or a budget of its own by the key budget"
    assert told == f"c.yaml:3: accounts[1].name: {why}; {allowed}"
    (told,) = problems(TWO % (", budget: one", "us", ", budget: one, api_share: 1"))
    assert told.startswith("c.yaml:3: accounts[1].api_share: it shares a budget")
    address = "https://api.eu.cloud.talend.com/"
    (told,) = problems((TWO % ("", "X", "")).replace("region: X", f"url: {address!r}"))
    assert why in told


@pytest.mark.parametrize("share", ["null", "none", "[0.1]", "true"])
def test_a_share_that_is_no_number_is_told_once(share, problems):
    (told,) = problems((TWO % ("", "eu", "")).replace("0.1", share))
    assert "accounts[0].api_share" in told


@pytest.mark.parametrize(
    ("first", "region", "second"),
    [
        ("", "us", ""),
        ("", "eu", ", api_share: 0.1"),
        ("", "eu", ", api_share: '0.10'"),
        ("", "eu", ", budget: other"),
        ("", "eu", ", proxy: 'http://u:w1thin@there:3128'"),
    ],
)
def test_accounts_of_their_own_budgets_may_have_any_share(first, region, second, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(TWO % (first, region, second))
    assert len(load(file, environ={}).accounts) == 2


def test_all_problems_are_told_at_once_in_the_order_of_the_file(problems):
    told = problems("""\
accounts:
  - name: prod
    region: mars
    api_share: true
    token: ${NOPE}
watch:
  beat: 30
route: {receiver: tem}
receivers:
  - {name: team, webhok: {url: x}}
""")
    assert told == [
        "c.yaml:3: accounts[0].region: found 'mars'; allowed: 'eu', 'us', 'us-west', 'ap' or 'au'",
        "c.yaml:4: accounts[0].api_share: found true; allowed: a number",
        "c.yaml:5: accounts[0].token: the environment variable NOPE is not set",
        (
            "c.yaml:7: watch.beat: found the number 30; "
            "allowed: a duration with its unit, such as 500ms, 30s, 5m, 1h30m or 1d"
        ),
        (
            "c.yaml:8: route.receiver: no receiver is named 'tem'; there are: team. "
            "Did you mean 'team'?"
        ),
        (
            "c.yaml:10: receivers[0]: a way of telling is missing: "
            "one or more of alertmanager, apprise, log, services_api, tallyfy, webhook"
        ),
        (
            "c.yaml:10: receivers[0].webhok: unknown key; allowed: alertmanager, apprise, log, "
            "name, on_uncertain, send_resolved, services_api, storm, tallyfy, templates, webhook. "
            "Did you mean 'webhook'?"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "c.yaml: the file is empty"),
        ("# nothing", "c.yaml: the file is empty"),
        ("- a", "c.yaml:1: found a list; allowed: a mapping of keys, such as `accounts:`"),
        ("word", "c.yaml:1: found a text; allowed: a mapping of keys, such as `accounts:`"),
        ("a: b\nc: [", "c.yaml:2: no valid YAML: while parsing a flow node, expected the node"),
        ("a: b\n\tc: d", "c.yaml:2: no valid YAML: while scanning for the next token, found"),
        ("a: *nobody", "c.yaml:1: no valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2", "c.yaml:2: no valid YAML: expected a single document"),
        ("a: \x01", "c.yaml:1: a control character is not allowed here"),
        ('a: "\\UFFFFFFFF"', "c.yaml: no valid YAML"),
        pytest.param(
            "a: " + "[" * 5000,
            "c.yaml: values are nested too deeply",
            marks=pytest.mark.uncounted,
        ),
        ("a: " + "[" * 50 + "]" * 50, "c.yaml: values are nested more than 40 deep"),
        ("a: &a [*a]", "c.yaml: values are nested more than 40 deep"),
        (b"a: \xff", "c.yaml: the file is not UTF-8 (byte 4)"),
        (b"#" * 1_000_001, "c.yaml: the file is larger than 1 MB"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_yaml_mapping_has_one_clear_problem(problems, text, problem):
    (told,) = problems(text)
    assert told.startswith(problem)


def test_aliases_of_aliases_are_stopped_early(problems):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (told,) = problems("\n".join(lines))
    assert "more than 20,000 values; are there aliases of aliases?" in told


def test_files_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: the file does not exist"):
        load(tmp_path / "nowhere", environ={})
    with pytest.raises(ConfigError, match="this is a directory, not a file"):
        load(tmp_path, environ={})
    with pytest.raises(ConfigError, match="the file cannot be read: embedded null byte"):
        load(tmp_path / "a\0b", environ={})
    with pytest.raises(ConfigError, match="the file cannot be read: File name too long"):
        load(tmp_path / ("a" * 999), environ={})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "watc: {}",
            "c.yaml:4: watc: unknown key; allowed: accounts, fallback, grace, http, inhibit_",
        ),
        ("watch: {settle: {floor: 1s}}", "watch.settle.floor: found '1s'; allowed: 2s to 1h"),
        (
            "watch: {settle: {floor: 1m, ceiling: 30s}}",
            "watch.settle.ceiling: it is less than the floor",
        ),
        ("watch: {beat: 500ms}", "watch.beat: found '500ms'; allowed: 1s to 1h"),
        ("watch: {beat: 1.5s}", "watch.beat: found '1.5s'; allowed: a duration"),
        ("watch: {beat: 999999999d999999999d}", "allowed: a duration"),
        ("watch: {beat: 999999999d999999999h}", "allowed: a duration"),
        ("watch: {history: 11d}", "watch.history: found '11d'; allowed: 0s to 10d"),
        ("watch: {tasks: false, plans: off}", "watch: tasks and plans are both off"),
        ("watch: {tasks: maybe}", "watch.tasks: found 'maybe'; allowed: true or false"),
        ("watch: [a]", "watch: found a list; allowed: a mapping of keys"),
        ("watch: {beat: {a: 1}}", "watch.beat: found a mapping; allowed: a duration"),
        ("watch: {beat: 5s, beat: 6s}", "watch.beat: this key stands here twice, first in line 4"),
        ("watch: {<<: {beat: 5s}}", "watch: line 4: a key must be a plain text"),
        ("watch: {[a]: 1}", "watch: line 4: a key must be a plain text"),
        ("watch: !!python/name:os.system ''", "watch: the value does not fit its YAML tag"),
        ("watch: !own {a: 1}", "watch: the YAML tag '!own' is not allowed"),
        ("watch: {tasks: !!int x}", "watch.tasks: the value does not fit its YAML tag"),
        ("watch: {tasks: 99999999999999999999}", "watch.tasks: the number is too large"),
        ('watch: {beat: "\\uD800"}', "watch.beat: the value does not fit its YAML tag"),
        ('"\\e[31m": 1', "c.yaml:4: '\\x1b[31m': unknown key"),
        ("store: {keep: 14d}", "store.keep: found '14d'; allowed: 15d to 3650d"),
        ("store: {url: 'sqlite://'}", "store.url: this value is not accepted; allowed: a SQLite"),
        ("store: {url: 'postgresql://u:p@h/d'}", "allowed: a SQLite file: sqlite:///relative.db"),
        ("store: {url: 'sqlite:///:memory:'}", "store.url: this value is not accepted"),
        ("labels: [{matchers: ['a=~\"[\"'], set: {x: y}}]", "no regular expression"),
        ("labels: [{matchers: ['a=~a{99999999999}'], set: {x: y}}]", "labels[0].matchers[0]"),
        ("labels: [{matchers: [5], set: {x: y}}]", "labels[0].matchers[0]: found the number 5;"),
        ("labels: [{matchers: [], set: {severity: y}}]", "any label but those of tmcwatch: acc"),
        ("labels: [{matchers: [], set: {9: y}}]", "labels[0].set.9: found '9'; allowed: a label"),
        ("labels: [{matchers: [], set: {__a: y}}]", "labels[0].set.__a: found '__a'"),
        ("labels: [{matchers: [], set: {}}]", "labels[0].set: "),
        ("labels: [{matchers: [], set: {a: [b]}}]", "set.a: found a list; allowed: a text"),
        ("rules: [{rule: faild}]", "rules[0].rule: found 'faild'; allowed: failed, plan_failed"),
        ("rules: [{rule: failed}, {rule: failed}]", "rules[1].rule: never reached: the entry at"),
        ("rules: [{rule: failed, severity: bad}]", "found 'bad'; allowed: 'info', 'warning' or"),
        ("rules: {a: 1}", "rules: found a mapping; allowed: a list"),
        ("time_zone: Europe/Pari", "found 'Europe/Pari'; allowed: a time zone of the IANA list"),
        ("time_zone: 5", "time_zone: found the number 5; allowed: a time zone"),
        ("time_zone: ../etc", "time_zone: found '../etc'; allowed: a time zone"),
        ("http: {listen: 99}", "http.listen: found the number 99; allowed: a text"),
        ("http: {listen: 'a:99999'}", "http.listen: found 'a:99999'; allowed: host:port"),
        ("http: {listen: no}", "http.listen: found false; allowed: a text"),
        ("http: {external_url: 'ftp://a'}", "http.external_url: this value is not accepted"),
        ("http: {external_url: 'http://a:b'}", "allowed: an http:// or https:// address"),
        ("http: {tokens: [{name: a}]}", "http.tokens[0]: one of token and file is missing"),
        ("http: {tokens: [{name: a, file: b, token: c}]}", "found both token and file"),
        ("http: {tokens: [{name: a, file: ''}]}", "http.tokens[0].file: found ''; allowed: the"),
        ("log: {level: loud}", "log.level: found 'loud'; allowed: 'debug', 'info', 'warning' or"),
        ("grace: ", "grace: found nothing; allowed: a duration"),
        ("grace: ${EMPTY}", "grace: the environment variable EMPTY is empty"),
        ("grace: ${}", "grace: found '${}'; allowed: ${NAME}, ${file:PATH}, and $$"),
        ("grace: ${SECRET", "grace: found '${'; allowed: ${NAME}"),
        ("grace: '${file:}'", "grace: ${file:} names no file"),
        ("grace: ${file:nope}", "grace: ${file:nope}: the file does not exist"),
        ("grace: ${file:/dev/null}", "grace: ${file:/dev/null}: the file is empty"),
    ],
)
def test_a_wrong_line_is_told_with_its_place_and_what_is_allowed(problems, line, problem):
    (told,) = problems(HEAD + line)
    assert problem in told
    assert told.startswith("c.yaml:4: ")


SERVICE_ACCOUNTS = [
    ("{id: i}", "service_account: one of secret and secret_file is missing"),
    ("{}", "service_account.id: this key is missing"),
    ("{secret: s}", "service_account.id: this key is missing"),
    (
        "{id: i, secret: s, secret_file: f}",
        "service_account.secret_file: found both secret and secret_file; al",
    ),
    ("{id: i, secret: s s}", "service_account.secret: this value is not accepted; allowed: a se"),
    ("{id: i, secret: 1}", "service_account.secret: found the number 1; allowed: a text"),
    ("{id: 'i:j', secret: s}", "service_account.id: this value is not accepted; allowed: an id"),
    (
        "{id: i, secret: s, audience: eu}",
        "service_account.audience: this value is not accepted; allow",
    ),
    ("{id: i, secret: s, scope: x}", "service_account.scope: unknown key; allowed: audience, id"),
    ("word", "service_account: this value is not accepted; allowed: a mapping of keys"),
]


@pytest.mark.parametrize(("given", "problem"), SERVICE_ACCOUNTS)
def test_a_wrong_service_account_is_told_with_its_place(problems, given, problem):
    told = problems(HEAD.replace("token: a-token", f"service_account: {given}"))
    assert any(one.startswith(f"c.yaml:1: accounts[0].{problem}") for one in told), told


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("token: a, service_account: {id: i, secret: s}", "both token and service_account"),
        ("token_file: a, service_account: {id: i, secret: s}", "both token_file and service_acc"),
        (
            "token: a, token_file: a, service_account: {id: i, secret: s}",
            "found token, token_file and service_account; allowed: one of them",
        ),
    ],
)
def test_an_account_has_one_credential(problems, given, problem):
    (told,) = problems(HEAD.replace("token: a-token", given))
    assert told.startswith("c.yaml:1: accounts[0].")
    assert problem in told


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("region: eu", "region: eu, url: 'http://a'", "found both region and url; allowed: one"),
        ("region: eu, ", "", "accounts[0]: one of region and url is missing"),
        ("region: eu", "url: 'http://me:pw@host'", "accounts[0].url: this value is not accepted"),
        ("region: eu", "url: 'http://[a'", "accounts[0].url: this value is not accepted"),
        (
            ", token: a-token",
            "",
            "accounts[0]: one of token, token_file and service_account is missing",
        ),
        ("a-token", "a token", "accounts[0].token: this value is not accepted; allowed: a token"),
        ("a-token", "123", "accounts[0].token: found the number 123; allowed: a text"),
        ("a-token", "a, api_share: 0", "api_share: found the number 0; allowed: greater than 0"),
        ("a-token", "a, api_share: .nan", "accounts[0].api_share: found the number nan; allowed"),
        ("a-token", "a, link: 'http://{nope}'", "accounts[0].link: found 'http://{nope}'; allow"),
        ("a-token", "a, link: 'http://{'", "accounts[0].link: found 'http://{'; allowed: default"),
        ("a-token", "a, link: '{id}'", "accounts[0].link: found '{id}'; allowed: default, off"),
        ("name: prod", "name: ''", "accounts[0].name: found ''; allowed: a name of 1 to 64"),
        ("name: prod", "name: a/b", "accounts[0].name: found 'a/b'; allowed: a name"),
        (
            "a-token}",
            "a}, {name: prod, region: us, token: b}",
            "accounts[1].name: 'prod' is taken",
        ),
        ("log: {}}", "log: {}}, {name: team, log: {}}", "receivers[1].name: 'team' is taken alr"),
        ("log: {}", "apprise: []", "receivers[0]: a way of telling is missing: one or more of"),
        ("log: {}", "log: {level: loud}", "receivers[0].log.level: this value is not accepted"),
        ("log: {}", "apprise: ['nowhere://x']", "c.yaml:3: receivers[0].apprise[0]: nowhere://"),
        ("log: {}", "apprise: ['nonsense']", "c.yaml:3: receivers[0].apprise[0]: must be a URL"),
        ("log: {}", "webhook: {url: 'none'}", "receivers[0].webhook.url: must be an address"),
        ("receiver: team", "receiver: team, matchers: []", "route.matchers: unknown key; allowed"),
        ("receiver: team", "recever: team", "route.recever: unknown key; allowed: group_by, gr"),
        ("log: {}}]", "log: {}}]\nfallback: x", "fallback: no receiver is named 'x'; there are"),
        ("receiver: team", "receiver: team, routes: [{receiver: x}]", "no receiver is named 'x'"),
        (
            "receiver: team",
            "receiver: team, group_by: [a, a]",
            "route.group_by: found a list; all",
        ),
        ("receiver: team", "receiver: team, group_by: ['...', a]", "route.group_by: found a list"),
        ("receiver: team", "receiver: team, group_by: ['a-b']", "route.group_by[0]: found 'a-b'"),
        ("receiver: team", "receiver: team, group_interval: 0s", "group_interval: found '0s'"),
        ("{receiver: team}", "5", "route: found the number 5; allowed: a mapping of keys"),
        ("[{name: team, log: {}}]", "[]", "receivers: found an empty list; allowed: at least on"),
    ],
)
def test_a_wrong_part_is_told_with_its_place(problems, was, becomes, problem):
    assert was in HEAD
    assert problem in "\n".join(problems(HEAD.replace(was, becomes)))


@pytest.mark.parametrize(
    "line",
    [
        "watch: {beat: '${SECRET}', tasks: '${SECRET}'}",
        "time_zone: ${SECRET}",
        "labels: [{matchers: ['${QUOTED}'], set: {'a b': '${SECRET}'}}]",
        "route2: ${SECRET}",
        "rules: [{rule: '${SECRET}', severity: '${SECRET}'}]",
        "log: {level: 'x${SECRET}', format: '${QUOTED}'}",
        "http: {listen: '${SECRET}', external_url: 'https://u:${SECRET}@x'}",
    ],
)
def test_a_value_from_outside_the_file_is_never_shown(problems, line):
    told = "\n".join(problems(HEAD + line))
    assert "s3cr3t" not in told
    assert 'cret"' not in told


def test_a_receiver_that_cannot_be_read_is_told_once(problems):
    (told,) = problems(HEAD.replace("log: {}", "<<: {}, log: {level: loud}"))
    assert "receivers[0]: line 3: a key must be a plain text" in told


def test_a_wrong_value_of_several_in_a_notifier_is_told_where_it_stands(problems):
    (told,) = problems(HEAD.replace("log: {}", "apprise: [json://localhost, nonsense]"))
    assert told.startswith("c.yaml:3: receivers[0].apprise[1]: must be a URL")


def test_a_secret_in_the_file_is_never_shown(problems):
    told = "\n".join(
        problems("""
accounts: [{name: a, region: eu, token: "s3cr3t one"}, {name: b, url: "http://u:s3cr3t@h"}]
route: {receiver: r}
receivers: [{name: r, apprise: ["s3cr3t-url", "nope://s3cr3t"]}, {name: s, webhook: "s3cr3t"}]
""")
    )
    assert "s3cr3t" not in told
    assert "accounts[0].token" in told


def test_no_traceback_of_a_refused_file_shows_its_secrets(tmp_path):
    file = tmp_path / "c.yaml"
    for text in ("a: s3cr3t\n  b: [", HEAD.replace("a-token", "s3cr3t one")):
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(file, environ={})
        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


NAMES = st.sampled_from(
    [
        *("accounts", "name", "region", "url", "token", "watch", "beat", "settle", "route"),
        *("routes", "receiver", "matchers", "receivers", "apprise", "log", "webhook", "labels"),
        *("set", "rules", "http", "tokens", "store", "<<"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["${SECRET}", "${NOPE}", "eu", "5s", "team", 'a="b"', "json://x", "a=~("]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
CALM = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def tried(path, text):
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, about odd regular expressions
        try:
            return load(path, environ=ENVIRON)
        except ConfigError as error:
            return error


@CALM
@given(text=st.text(st.characters() | st.sampled_from("\n :-{}[]&*!|>'\"%@$"), max_size=60))
def test_whatever_the_text_is_loading_ends_in_a_config_or_a_config_error(tmp_path, text):
    assert isinstance(tried(tmp_path / "c.yaml", text), ConfigError)


@pytest.mark.uncounted
@CALM
@given(tree=st.dictionaries(NAMES, TREES, max_size=6))
def test_whatever_the_values_are_loading_tells_problems_with_places_and_no_secret(tmp_path, tree):
    found = tried(tmp_path / "c.yaml", yaml.safe_dump(tree, allow_unicode=True))
    if isinstance(found, ConfigError):
        assert all(problem.line for problem in found.problems) or not tree
        assert "s3cr3t-value" not in str(found)
    else:
        assert isinstance(found, Config)
