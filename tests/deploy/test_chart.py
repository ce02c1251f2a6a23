"""What people meet who install, upgrade and remove the chart."""

import json

import pytest
import yaml

from tests.deploy.manifests import CHART, FULL, ROOT, container_of, only, pod_of, rendered
from tests.deploy.tools import helm
from tests.deploy.values_schema import CONFIG, VALUES, with_config

OTHERS = {"fullnameOverride": "other", "labels.team": "monitoring", "podLabels.team": "monitoring"}


def notes(*words):
    done = helm("install", "tmcwatch", str(CHART), "--dry-run=client", "--namespace", "m", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def refused(*words):
    done = helm("template", "tmcwatch", str(CHART), *words)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("config.acounts=none", "'acounts' not allowed"),
        ("config.accounts[0].name=a,config.accounts[0].regoin=eu", "'regoin' not allowed"),
        ("config.accounts[0].name=a,config.accounts[0].region=mars", "one of 'eu', 'us'"),
        ("config.route.reciever=log", "'reciever' not allowed"),
        ("config.watch.beat=10seconds", "/config/watch/beat"),
        ("config.watch.tasks=maybe", "/config/watch/tasks"),
        ("config.http.listen=10477", "/config/http/listen"),
    ],
)
def test_a_wrong_key_or_value_of_the_config_is_refused_before_anything_changes(setting, said):
    assert said in refused("--set", setting)


@pytest.mark.parametrize("name", ["watch.beat", "watch.tasks", "store.keep", "grace"])
def test_what_only_the_pod_can_fill_in_is_let_through(name):
    made = rendered("--set-string", f"config.{name}=${{FILLED}}")
    assert "${FILLED}" in only(made, "ConfigMap")["data"]["tmcwatch.yaml"]


def test_a_way_of_telling_that_another_package_brings_is_let_through():
    rendered("--set-json", 'config.receivers=[{"name": "log", "pager": {"number": 1}}]')


def test_the_schema_of_the_values_knows_the_config_as_it_is():
    values = json.loads(VALUES.read_text())
    again = with_config(values, json.loads(CONFIG.read_text()))
    assert values == again, "python -m tests.deploy.values_schema renews it"


def test_every_key_of_the_config_comes_out_as_it_went_in(tmp_path):
    text = (ROOT / "config/tmcwatch.example.yaml").read_text()
    (tmp_path / "values.yaml").write_text("config:\n" + text.replace("\n", "\n  "))
    shown = ("--set", "config.http.listen=0.0.0.0:10477")
    made = rendered("--values", str(tmp_path / "values.yaml"), *shown)
    expected = yaml.safe_load(text)
    expected["http"]["listen"] = "0.0.0.0:10477"
    assert yaml.safe_load(only(made, "ConfigMap")["data"]["tmcwatch.yaml"]) == expected


@pytest.mark.parametrize(
    "text", ["  begins far in\nand goes on\n", "no end", "{{ counts }}: 1\n\n\n"]
)
def test_a_file_beside_the_config_comes_out_as_it_went_in(text):
    made = rendered("--set-json", f"configFiles={json.dumps({'title.j2': text})}")
    assert only(made, "ConfigMap")["data"]["title.j2"] == text


def test_a_platform_may_choose_the_user_by_itself():
    names = ("runAsUser", "runAsGroup", "fsGroup")
    made = rendered("--set", ",".join(f"podSecurityContext.{name}=null" for name in names))
    security = pod_of(made)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert not security.keys() & set(names)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("configFiles.tmcwatch\\.yaml=x", "configFiles has tmcwatch.yaml"),
        ("existingSecret=", "existingSecret is empty"),
        ("config.grace=30s", "terminationGracePeriodSeconds is 30, but config.grace is 30s"),
        ("config.grace=1m5s", "config.grace is 1m5s"),
        ("ingress.enabled=true", "ingress.host"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(setting, said):
    assert said in refused("--set", setting)


def test_values_that_fit_each_other_are_taken():
    rendered("--set", "config.grace=1m500ms,terminationGracePeriodSeconds=62")
    volume = {"name": "vault", "mountPath": "/run/secrets/tmcwatch"}
    rendered("--set", "existingSecret=", "--set-json", f"extraVolumeMounts=[{json.dumps(volume)}]")


def test_two_releases_share_no_object():
    def names(release):
        done = helm(
            "template", release, str(CHART), "--values", str(FULL), "--set", "fullnameOverride="
        )
        made = [each for each in yaml.safe_load_all(done.stdout) if each]
        return {(each["kind"], each["metadata"]["name"]) for each in made}

    assert names("prod") & names("test") == set()
    assert len(names("prod")) == len(names("test")) > 10


def test_an_upgrade_changes_nothing_that_cannot_be_changed():
    settings = [word for name, value in OTHERS.items() for word in ("--set", f"{name}={value}")]
    before, after = rendered(), rendered(*settings, "--set", "image.tag=9.9.9")
    for made in (before, after):
        selector = only(made, "Deployment")["spec"]["selector"]["matchLabels"]
        assert selector == {
            "app.kubernetes.io/name": "tmcwatch",
            "app.kubernetes.io/instance": "tmcwatch",
        }
        assert only(made, "Service")["spec"]["selector"] == selector
    assert (
        only(before, "PersistentVolumeClaim")["spec"]
        == only(after, "PersistentVolumeClaim")["spec"]
    )


def test_names_are_short_enough_and_have_no_dots():
    release = "a.long-name-of-a-release-that-uses-every-letter-it-may"[:53]
    done = helm(
        "template", release, str(CHART), "--values", str(FULL), "--set", "fullnameOverride="
    )
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    name = only(made, "Service")["metadata"]["name"]
    assert name == release.replace(".", "-")
    assert all(len(each["metadata"]["name"]) <= 253 for each in made)
    assert "/fullnameOverride" in refused("--set", f"fullnameOverride={'a' * 64}")


def test_the_store_stays_when_the_release_goes():
    claim = only(rendered("--set", "persistence.annotations.owner=me"), "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "owner": "me"}
    assert "helm uninstall" in notes()
    assert "the store is gone with the pod" in notes("--set", "persistence.enabled=false")


def test_labels_of_ones_own_are_on_everything_and_select_nothing():
    made = rendered("--values", str(FULL))
    assert {each["metadata"]["labels"]["example.org/cost-center"] for each in made} == {"4711"}
    pod = only(made, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert pod["example.org/cost-center"] == "4711"


def test_the_ingress_leads_people_to_where_messages_say():
    made = rendered("--values", str(FULL))
    spec = only(made, "Ingress")["spec"]
    (rule,) = spec["rules"]
    assert spec["tls"] == [{"hosts": ["tmcwatch.example.org"], "secretName": "watch-tls"}]
    assert rule["host"] == "tmcwatch.example.org"
    backend = rule["http"]["paths"][0]["backend"]["service"]
    service = only(made, "Service")
    assert backend == {"name": service["metadata"]["name"], "port": {"name": "http"}}
    assert "Ingress" not in {each["kind"] for each in rendered()}


def test_a_store_is_given_time_to_be_migrated_and_a_stop_to_end():
    probe = container_of(rendered())["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600
    assert pod_of(rendered())["terminationGracePeriodSeconds"] == 30


def test_why_a_pod_ended_is_seen_where_people_look_first():
    assert container_of(rendered())["terminationMessagePolicy"] == "FallbackToLogsOnError"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "is no image that a cluster finds by itself"),
        ((), "create secret generic tmcwatch --from-file=token=token"),
        ((), "port-forward service/tmcwatch 10477"),
        (("--set", "networkPolicy.enabled=false"), "/alerts"),
        (("--values", str(FULL)), "prometheusRule.userFacing is true"),
        (("--values", str(FULL)), "https://tmcwatch.example.org/alerts"),
        (
            ("--set", "config.accounts[0].name=a,config.accounts[0].url=http://tmc:8080/x"),
            ": 8080",
        ),
        (("--set", "config.accounts[0].name=a,config.accounts[0].url=http://tmc/x"), ": 80"),
    ],
)
def test_the_notes_say_what_comes_next(words, said):
    assert said in notes(*words)


def test_the_notes_are_silent_about_ports_that_are_open():
    assert "extraEgress" not in notes()
    receiver = '[{"name": "log", "alertmanager": {"urls": ["http://alertmanager:9093"]}}]'
    words = ("--set-json", f"config.receivers={receiver}")
    assert "extraEgress" in notes(*words)
    egress = 'networkPolicy.extraEgress=[{"ports": [{"port": 9093}]}]'
    assert "extraEgress" not in notes(*words, "--set-json", egress)
