"""The rules of a config: built-in ones changed, own ones, files of them, what is wrong there."""

from datetime import timedelta

import pytest

from tmcwatch.config import ConfigError, fingerprint, load, rule_files, rules_of
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import BAD_ENDS, Kind, Phase
from tmcwatch.domain.rule import After, Rule
from tmcwatch.domain.rule import rule_named as rule_or_none

HEAD = """\
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""


def rule_named(found, name, labels) -> Rule:
    rule = rule_or_none(found, name, labels)
    assert rule is not None
    return rule


@pytest.fixture
def write(tmp_path):
    """Write a file beside the config, or the config itself if no name is given."""

    def written(text, name="c.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text if name == "c.yaml" else text)
        return file

    return written


@pytest.fixture
def rules(write):
    def loaded(text):
        return rules_of(load(write(text), environ={}))

    return loaded


@pytest.fixture
def told(write, tmp_path):
    """Answer with what is told of a config, without the folder's name."""

    def problems(text):
        with pytest.raises(ConfigError) as caught:
            load(write(text), environ={})
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return problems


def test_without_any_setting_the_rules_are_the_built_in_ones(rules):
    assert rules("") == tuple(BUILT_IN.values())


def test_a_setting_changes_what_it_names_of_a_built_in_rule_and_nothing_else(rules):
    found = rules("rules: [{rule: timed_out, for: 15m, labels: {tier: gold}, text: '{name}!'}]")
    changed = rule_named(found, "timed_out", {})
    assert (changed.for_, changed.labels, changed.text) == (
        timedelta(minutes=15),
        {"tier": "gold"},
        "{name}!",
    )
    before = BUILT_IN["timed_out"]
    assert (changed.severity, changed.manual_severity) == (before.severity, Severity.INFO)
    assert (changed.phases, changed.kinds, changed.enabled) == (before.phases, before.kinds, True)
    assert len(found) == len(BUILT_IN)


def test_a_severity_holds_for_runs_started_by_hand_as_well(rules):
    changed = rule_named(rules("rules: [{rule: failed, severity: critical}]"), "failed", {})
    assert (changed.severity, changed.manual_severity) == (Severity.CRITICAL, None)


@pytest.mark.parametrize(
    ("setting", "after", "in_a_row"),
    [
        ("after: {count: 4, within: 2h}", After(count=4, within=timedelta(hours=2)), 1),
        ("in_a_row: 5", None, 5),
        ("in_a_row: 1", None, 1),
        ("enabled: true", None, 3),
    ],
)
def test_one_way_of_counting_replaces_the_other(rules, setting, after, in_a_row):
    found = rule_named(
        rules(f"rules: [{{rule: misfired_parallel, {setting}}}]"), "misfired_parallel", {}
    )
    assert (found.after, found.in_a_row) == (after, in_a_row)


def test_of_several_entries_for_a_rule_the_first_that_matches_holds(rules):
    found = rules("""
rules:
  - {rule: failed, matchers: [name=load], severity: critical}
  - {rule: failed, matchers: ['name=~"l.*"'], enabled: false}
  - {rule: failed, for: 5m}
""")
    load_, later, other = (rule_named(found, "failed", {"name": n}) for n in ("load", "lo", "x"))
    assert (load_.severity, load_.for_) == (Severity.CRITICAL, timedelta(0))
    assert not later.enabled
    assert other.for_ == timedelta(minutes=5)


def test_where_no_entry_matches_the_built_in_rule_holds(rules):
    found = rules("rules: [{rule: failed, matchers: [name=load], severity: critical}]")
    assert rule_named(found, "failed", {"name": "other"}) == BUILT_IN["failed"]


def test_a_rule_of_ones_own_is_a_warning_about_every_bad_end_of_tasks_and_plans(rules):
    own = rule_named(rules("rules: [{name: mine}]"), "mine", {})
    assert (own.severity, own.phases) == (Severity.WARNING, BAD_ENDS)
    assert own.kinds == {Kind.TASK, Kind.PLAN}
    assert not own.inside_plans


def test_a_rule_of_ones_own_has_what_is_set(rules):
    own = rule_named(
        rules("""
rules:
  - name: mine
    phases: [failed, timed_out]
    kinds: [plan]
    matchers: [environment=PROD]
    after: {count: 3, within: 1h}
    severity: critical
    inside_plans: true
"""),
        "mine",
        {"environment": "PROD"},
    )
    assert own.phases == {Phase.FAILED, Phase.TIMED_OUT}
    assert own.kinds == {Kind.PLAN}
    assert (own.after, own.severity) == (
        After(count=3, within=timedelta(hours=1)),
        Severity.CRITICAL,
    )
    assert own.inside_plans


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{}", "rules[0]: one of rule (a built-in one to change) and name"),
        ("{rule: failed, name: mine}", "rules[0].name: found both rule and name"),
        ("{name: failed}", "rules[0].name: found 'failed'; allowed: a name that no built-in rule"),
        ("{name: watching}", "rules[0].name: found 'watching'; allowed: a name that no built-in"),
        ("{name: Mine}", "rules[0].name: found 'Mine'; allowed: a name of small letters"),
        ("{name: mine, phases: []}", "rules[0].phases: found an empty list; allowed: at least"),
        ("{name: mine, phases: [running]}", "rules[0].phases[0]: found 'running'; allowed: 'fai"),
        ("{name: mine, kinds: [engine]}", "rules[0].kinds[0]: found 'engine'; allowed: 'task'"),
        ("{name: mine, for: 2d}", "rules[0].for: found '2d'; allowed: 0s to 1d"),
        ("{name: mine, in_a_row: 0}", "rules[0].in_a_row: found the number 0"),
        ("{name: mine, in_a_row: true}", "rules[0].in_a_row: found true; allowed: a whole number"),
        ("{name: mine, after: {count: 1, within: 1h}}", "after.count: found the number 1"),
        ("{name: mine, after: {count: 3}}", "rules[0].after.within: this key is missing"),
        (
            "{name: mine, in_a_row: 2, after: {count: 3, within: 1h}}",
            "rules[0].in_a_row: found both after and in_a_row",
        ),
        ("{name: mine, labels: {severity: x}}", "rules[0].labels.severity: found 'severity'"),
        ("{name: mine, text: '{nme}'}", "{nme} is none of account"),
        ("{name: mine, text: '{name!r}'}", "{name} must stand without a format"),
        (
            "{name: mine, text: '{name'}",
            "rules[0].text: found '{name'; allowed: a text with field",
        ),
        ("{name: mine, matchers: [nonsense]}", "rules[0].matchers[0]: found 'nonsense'"),
        ("{rule: failed, phases: [failed]}", "rules[0].phases: a built-in rule keeps its own"),
        ("{rule: blind, for: 5m}", "rules[0].for: 'blind' is not about runs; allowed: enabled"),
        ("{rule: gap, matchers: [account=a]}", "rules[0].matchers: 'gap' is not about runs"),
    ],
)
def test_a_wrong_rule_is_told_once_with_its_line_and_key(told, entry, problem):
    (one,) = told(f"rules:\n  - {entry}\n")
    assert one.startswith("c.yaml:5: rules[0]")
    assert problem in one


def test_the_rules_of_files_follow_those_of_the_config_in_the_order_of_their_names(rules, write):
    write("rules: [{name: second}]", "rules.d/b.yaml")
    write("rules: [{name: first}, {rule: failed, severity: info}]", "rules.d/a.yaml")
    write("not: rules", "rules.d/readme.txt")
    found = rules("rules: [{name: own}]\nrule_files: [rules.d/*.yaml]")
    assert [rule.name for rule in found if rule.name not in BUILT_IN] == ["own", "first", "second"]
    assert rule_named(found, "failed", {}).severity is Severity.INFO


def test_a_file_that_two_patterns_name_is_read_once(rules, write):
    write("rules: [{name: mine}]", "rules.d/a.yaml")
    assert rules("rule_files: [rules.d/a.yaml, 'rules.d/*']")


@pytest.mark.parametrize("pattern", ["rules.d/*", "rules.d/**/*.yaml", "rules.d/../rules.d/*"])
def test_a_mounted_folder_of_rules_is_read_without_what_it_is_made_of(
    rules, write, tmp_path, pattern
):
    write("rules: [{name: own}]", "rules.d/..2026_11_27/own.yaml")
    (tmp_path / "rules.d/..data").symlink_to("..2026_11_27")
    (tmp_path / "rules.d/own.yaml").symlink_to("..data/own.yaml")
    found = rules(f"rule_files: ['{pattern}']")
    assert [rule.name for rule in found if rule.name not in BUILT_IN] == ["own"]


def test_a_pattern_that_no_file_fits_is_no_problem(rules):
    assert rules("rule_files: ['nowhere/*.yaml']") == tuple(BUILT_IN.values())


def test_what_is_wrong_in_a_file_of_rules_is_told_with_that_file_its_line_and_key(told, write):
    write("rules:\n  - name: a\n    severty: info\n  - {rule: faild}", "rules.d/a.yaml")
    write("rules: [{name: a}]\nmore: 1", "rules.d/b.yaml")
    write("rules: [", "rules.d/c.yaml")
    found = told("rule_files: ['rules.d/*.yaml']\ngrace: 1")
    why = "while parsing a flow node, expected the node content, but found '<stream end>'"
    broken = f"rules.d/c.yaml:1: no valid YAML: {why}"
    assert [one.partition("; ")[0] for one in found] == [
        "c.yaml:5: grace: found the number 1",
        broken,
        "rules.d/a.yaml:3: rules[0].severty: unknown key",
        "rules.d/a.yaml:4: rules[1].rule: found 'faild'",
        "rules.d/b.yaml:1: rules[0].name: 'a' is taken already, at rules.d/a.yaml:2",
        "rules.d/b.yaml:2: more: unknown key",
    ]


def test_a_file_of_rules_that_is_not_there_is_told_where_it_is_named(told):
    (one,) = told("rule_files:\n  - rules.yaml")
    assert one == "c.yaml:5: rule_files[0]: rules.yaml: the file does not exist"


def test_an_entry_behind_one_that_takes_all_is_told_across_files(told, write):
    write("rules: [{rule: failed, severity: info}]", "rules.d/a.yaml")
    (one,) = told("rules: [{rule: failed, for: 1m}]\nrule_files: [rules.d/a.yaml]")
    where = "rules.d/a.yaml:1: rules[0].rule: never reached"
    assert one == f"{where}: the entry at c.yaml:4 has no matchers and takes all"


def test_what_a_file_of_rules_refers_to_changes_the_fingerprint_as_well(write, tmp_path):
    write("rules: [{name: mine, text: '${file:words}'}]", "rules.d/a.yaml")
    write("one", "words")
    path = write("rule_files: [rules.d/a.yaml]")
    config = load(path, environ={})
    assert config.every_rule[0].text == "one"
    before = fingerprint(path, *rule_files(config))
    (tmp_path / "words").write_text("two")
    assert fingerprint(path, *rule_files(config)) != before


def test_a_file_of_rules_that_changes_appears_or_goes_changes_the_fingerprint(write, tmp_path):
    write("rules: []", "rules.d/a.yaml")
    path = write("rule_files: ['rules.d/*.yaml']")
    config = load(path, environ={})
    seen = {fingerprint(path, *rule_files(config))}
    write("rules: [{name: mine}]", "rules.d/a.yaml")
    seen.add(fingerprint(path, *rule_files(config)))
    write("rules: [{name: other}]", "rules.d/b.yaml")
    seen.add(fingerprint(path, *rule_files(config)))
    (tmp_path / "rules.d/a.yaml").unlink()
    seen.add(fingerprint(path, *rule_files(config)))
    assert len(seen) == 4


@pytest.mark.parametrize("rule", ["[failed]", "{failed: 1}"])
def test_a_rule_that_is_no_text_is_told_with_its_place(told, rule):
    (one,) = told(f"rules:\n  - rule: {rule}")
    assert one.startswith("c.yaml:5: rules[0].rule: found a ")


def test_what_is_no_pattern_is_told_with_its_place(told):
    (one,) = told("rule_files:\n  - 'rules.d/**.yaml'")
    assert one.startswith("c.yaml:5: rule_files[0]: rules.d/**.yaml: ")


@pytest.mark.parametrize("pattern", ["mine.yaml", "*/mine.yaml", "[m]ine.yaml"])
def test_the_name_of_the_configs_folder_is_no_pattern(tmp_path, pattern):
    folder = tmp_path / "tmc[1]"
    (folder / "teams").mkdir(parents=True)
    for file in (folder / "mine.yaml", folder / "teams/mine.yaml"):
        file.write_text("rules: [{name: mine}]")
    (folder / "c.yaml").write_text(f"{HEAD}rule_files: ['{pattern}']")
    config = load(folder / "c.yaml", environ={})
    assert rule_named(rules_of(config), "mine", {}).enabled
    assert len(rule_files(config)) == 1
