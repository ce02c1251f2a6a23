"""How the config says what stands between an account and TMC: authorities and a proxy."""

import pytest

from tests.contracts.certificates import authority, self_signed
from tmcwatch.config import ConfigError, authority_files, check_files, load
from tmcwatch.telemetry.redaction import without_secrets

CONFIG = """
accounts:
  - name: first
    region: eu
    token: a-token
  - name: second
    region: us
    token: a-token
    {key}: {value}
route: {{receiver: team}}
receivers: [{{name: team, log: {{}}}}]
"""
SECRET = "s3cr3t"


@pytest.fixture
def config(tmp_path):
    """Load a config whose second account has one more key."""

    def loaded(key, value, environ=None):
        file = tmp_path / "c.yaml"
        file.write_text(CONFIG.format(key=key, value=value))
        return load(file, environ=environ or {})

    return loaded


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("house"), "house")


@pytest.fixture
def told(config, tmp_path):
    """Answer with what is told of a file of authorities with this content."""

    def problems(content):
        (tmp_path / "ca.pem").write_bytes(content)
        found = check_files(config("ca_file", "ca.pem"))
        return [str(one).replace(f"{tmp_path}/", "") for one in found]

    return problems


HERE = "c.yaml:9: accounts[1].ca_file: ca.pem: "
BROKEN = f"{HERE}the file holds no certificates in PEM, or a broken one"


def test_a_file_of_authorities_starts_at_the_folder_of_the_config(config, tmp_path):
    assert authority_files(config("ca_file", "tls/ca.pem")) == (tmp_path / "tls" / "ca.pem",)


def test_a_good_file_of_authorities_is_no_problem(told, house):
    content = house.certificate.read_bytes()
    assert told(content) == []
    assert told("# Für das Haus\n".encode() + content + b"\n" + content) == []


def test_a_certificate_that_signed_itself_may_be_trusted(told, tmp_path):
    self_signed(tmp_path, "tmc.example")
    assert told((tmp_path / "self-signed.pem").read_bytes()) == []


def test_a_file_without_usable_authorities_is_told_with_the_line_that_names_it(told, house):
    content = house.certificate.read_bytes()
    assert told(b" \n") == [f"{HERE}the file is empty"]
    assert told(b"not a certificate") == [BROKEN]
    assert told(b"\x30\x82\x01\x00" * 100) == [BROKEN]
    assert told(content + content.replace(b"M", b"!", 3)) == [BROKEN]
    assert told(house.certificate.with_suffix(".key").read_bytes()) == [BROKEN]


def test_a_file_of_authorities_that_cannot_be_read_is_told(config, tmp_path):
    problems = check_files(config("ca_file", "gone.pem"))
    problems += check_files(config("ca_file", "."))
    assert [str(one).replace(f"{tmp_path}/", "") for one in problems] == [
        "c.yaml:9: accounts[1].ca_file: gone.pem: the file does not exist",
        f"c.yaml:9: accounts[1].ca_file: {tmp_path}: this is a directory, not a file",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://proxy.example:3128",
        "http://10.0.0.1",
        "https://proxy.example:3128/",
        f"http://user:{SECRET}@[::1]:3128",
        f"http://user:{SECRET}%40%2F@proxy.example:3128",
    ],
)
def test_a_proxy_is_a_web_address_with_or_without_a_password(config, address):
    proxy = config("proxy", "${PROXY}", {"PROXY": address}).accounts[1].proxy
    assert proxy.get_secret_value() == address


@pytest.mark.parametrize(
    "address",
    [
        f"socks5://user:{SECRET}@proxy.example:1080",
        f"user:{SECRET}@proxy.example:3128",
        f"http://user:{SECRET}@proxy.example:none",
        f"http://user:{SECRET}@proxy.example:99999",
        f"http://user:{SECRET}@",
        f"http://user:{SECRET}/x@proxy.example:3128",
        f"http://user:{SECRET} x@proxy.example:3128",
        f"http://user:{SECRET}@proxy.example:3128/path",
        f"http://user:{SECRET}@proxy.example:3128?query",
    ],
)
def test_what_is_no_proxy_is_told_with_its_line_and_without_the_password(config, address):
    for value, environ in ((f"'{address}'", None), ("${PROXY}", {"PROXY": address})):
        with pytest.raises(ConfigError) as caught:
            config("proxy", value, environ)
        told = str(caught.value)
        assert "c.yaml:9: accounts[1].proxy: " in told
        assert "this value is not accepted; allowed: a proxy such as http://host:3128" in told
        assert SECRET not in told
        # The hint is of use in the log of a refused reload, too.
        assert without_secrets(told) == told


def test_the_name_of_a_budget_tells_the_way_without_the_password(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "accounts: [{name: a, region: eu, token: t, proxy: 'http://u:w1thin@there:3128'}]\n"
        "route: {receiver: team}\nreceivers: [{name: team, log: {}}]\n"
    )
    (account,) = load(file, environ={}).accounts
    assert account.budget_name == "https://api.eu.cloud.talend.com by there:3128"


@pytest.mark.parametrize(
    "url", ["https://API.eu.cloud.talend.com", "https://api.eu.cloud.talend.com:443/"]
)
def test_an_address_has_one_budget_however_it_is_written(url, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        f"accounts: [{{name: a, region: eu, token: t}}, {{name: b, url: {url}, token: t}}]\n"
        "route: {receiver: team}\nreceivers: [{name: team, log: {}}]\n"
    )
    first, second = load(file, environ={}).accounts
    assert first.budget_name == second.budget_name
