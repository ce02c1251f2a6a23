"""The shipped dashboards are what the code makes, ask only for what is there, and can be read."""

import re
from itertools import product

import promql_parser
import pytest

from tests.deploy.dashboards.asked import choices, dashboards, panels, queries
from tests.deploy.dashboards.frame import TAG
from tests.deploy.dashboards.shipped import FOLDER, files
from tests.deploy.expressions import grouping, labels_of, selectors, unmerged
from tmcwatch.telemetry.families import FORBIDDEN_LABELS

COLUMNS = 24
PANELS = [(board, panel) for board in dashboards() for panel in panels(board)]
ASKED = [*queries(), *choices()]

each_board = pytest.mark.parametrize("board", dashboards(), ids=lambda board: board["uid"])
each_panel = pytest.mark.parametrize(
    "panel", [p for _, p in PANELS], ids=[f"{b['uid']}-{p['id']}" for b, p in PANELS]
)
each_query = pytest.mark.parametrize(
    "query", ASKED, ids=[f"{q.dashboard}-{q.panel}-{at}" for at, q in enumerate(ASKED)]
)


def test_the_files_are_what_the_code_makes():
    shipped = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert shipped == files(), "run `python -m tests.deploy.dashboards`"


def test_each_dashboard_is_found_by_a_name_of_its_own():
    uids = [board["uid"] for board in dashboards()]
    assert len(set(uids)) == len(uids) == 4
    assert len({board["title"] for board in dashboards()}) == 4
    assert {path.stem for path in FOLDER.glob("*.json")} == set(uids)


@each_board
def test_a_dashboard_leads_to_the_others(board):
    assert board["tags"] == [TAG]
    (link,) = board["links"]
    assert (link["type"], link["tags"]) == ("dashboards", [TAG])
    assert link["includeVars"]
    assert link["keepTime"]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"/d/([\w-]+)", str(dashboards())))))
def test_a_link_leads_to_a_dashboard(link):
    assert link in {board["uid"] for board in dashboards()}


def test_a_row_of_a_table_hands_over_every_choice():
    (uid,) = set(re.findall(r"/d/([\w-]+)", str(dashboards())))
    (opened,) = [board for board in dashboards() if board["uid"] == uid]
    handed_over = set(re.findall(r"var-(\w+)=", str(dashboards())))
    assert handed_over == {variable["name"] for variable in opened["templating"]["list"]}


@each_board
def test_a_dashboard_uses_the_variables_it_has_and_the_source_that_is_chosen(board):
    names = {variable["name"] for variable in board["templating"]["list"]}
    asked = str([target["expr"] for panel in panels(board) for target in panel["targets"]])
    used = set(re.findall(r"\$\{?(\w+)", asked)) - {"__range", "__rate_interval", "__interval"}
    assert used | {"datasource"} == names
    sources = [panel["datasource"]["uid"] for panel in panels(board)]
    targets = [one["datasource"]["uid"] for panel in panels(board) for one in panel["targets"]]
    assert {*sources, *targets} == {"${datasource}"}


@each_board
def test_panels_fill_the_grid_and_do_not_overlap(board):
    taken: set[tuple[int, int]] = set()
    everything = [*panels(board), *(row for row in board["panels"] if row["type"] == "row")]
    for place in (panel["gridPos"] for panel in everything):
        across = range(place["x"], place["x"] + place["w"])
        cells = set(product(across, range(place["y"], place["y"] + place["h"])))
        assert not taken & cells, place
        taken |= cells
    bottom = max(y for _, y in taken) + 1
    assert taken == set(product(range(COLUMNS), range(bottom)))


@each_board
def test_panels_have_identities_of_their_own(board):
    identities = [panel["id"] for panel in panels(board)]
    identities += [row["id"] for row in board["panels"] if row["type"] == "row"]
    assert sorted(identities) == list(range(1, len(identities) + 1))


@each_board
def test_details_are_folded_away(board):
    assert board["panels"][-1]["collapsed"]


@each_panel
def test_a_panel_says_what_it_shows(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None
    values = [step["value"] for step in steps[1:]]
    assert values == sorted(set(values))


@each_panel
def test_a_panel_names_what_it_draws(panel):
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)
    assert all(target["legendFormat"] for target in panel["targets"])


@each_panel
def test_a_legend_names_only_labels_that_the_answer_has(panel):
    for target in panel["targets"]:
        told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert told <= grouping(target["expr"])


@each_query
def test_a_query_parses(query):
    promql_parser.parse(query.expr)
    assert "$" not in query.expr


@each_query
def test_a_query_names_only_metrics_and_labels_that_exist(query):
    asked = selectors(query.expr)
    assert asked
    for selector in asked:
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert matched <= labels_of(str(selector.name)), selector
    known = set.union(*(labels_of(str(selector.name)) for selector in asked))
    assert grouping(query.expr) <= known


@each_query
def test_a_query_minds_no_label_that_a_scrape_adds(query):
    added = FORBIDDEN_LABELS - {"le"}
    matched = {m.name for one in selectors(query.expr) for m in one.matchers.matchers}
    assert not (matched | grouping(query.expr)) & added
    assert not unmerged(query.expr), "each target that is scraped would tell it again"
