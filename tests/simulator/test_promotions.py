"""Promotions run, end as staged, report on what they moved, and leave a trail in the audit log."""

from datetime import timedelta

import pytest

from tests.conftest import EPOCH
from tests.simulator.conftest import pass_time, quiet, seconds
from tests.simulator.test_contract import assert_keeps
from tmcwatch.simulator import Dialect, UnknownSubject

RUNS = "/processing/executions/promotions"
NAMES = "/orchestration/executables/promotions"
LOG = "/security/audit/logs"
NOBODY = "00000000-0000-4000-8000-00000000beef"


async def test_a_promotion_runs_until_it_has_ended(bench):
    made = bench()
    run = made.simulator.world.start_promotion("TEST to PROD", lasts=seconds(20))
    running = await made.get(f"{RUNS}/{run}")
    await pass_time(21)
    ended = await made.get(f"{RUNS}/{run}")
    assert (running["status"], ended["status"]) == ("PROMOTION_STARTED", "PROMOTED")
    assert "finishTimestamp" not in running
    assert ended["finishTimestamp"] == "2026-11-20T00:00:20.000Z"


@pytest.mark.parametrize("ends", ["PROMOTED", "PROMOTION_WARNING", "PROMOTION_FAILED", "ANALIZED"])
async def test_every_report_keeps_to_the_contract(bench, ends):
    made = bench()
    run = made.simulator.world.start_promotion("TEST to PROD", ends=ends, defective=True)
    for _ in range(2):
        assert_keeps("processing", "PromotionExecutionStatusV26", await made.get(f"{RUNS}/{run}"))
        await pass_time(40)
    assert (await made.get(f"{RUNS}/{run}"))["status"] == ends


async def test_what_breaks_is_named_with_its_message(bench):
    made = bench()
    task, other = (each.name for each in made.simulator.world.promotions.definitions[0].tasks[:2])
    run = made.simulator.world.start_promotion(
        "TEST to PROD", ends="PROMOTION_FAILED", broken=[task], error="no engine"
    )
    await pass_time(40)
    detail = await made.get(f"{RUNS}/{run}")
    reports = {
        flow["name"]: flow["promotionReport"]
        for workspace in detail["workspaces"]
        for flow in workspace["flows"]
    }
    assert reports[task] == {
        "status": "FAILED",
        "messages": [{"info": "no engine", "level": "ERROR"}],
    }
    assert reports[other] == {"status": "REPLACED", "messages": []}


async def test_executions_of_promotions_can_be_found_by_id_alone(bench):
    made = bench()
    assert await made.status(f"{RUNS}/{NOBODY}") == 404
    assert await made.status(f"{RUNS}/nonsense") == 400
    assert await made.status("/processing/executables/promotions/executions") == 404
    later = made.simulator.world.start_promotion("TEST to PROD", at=EPOCH + seconds(10))
    assert await made.status(f"{RUNS}/{later}") == 404


async def test_a_young_execution_may_be_unknown_for_a_minute(bench):
    made = bench()
    made.simulator.faults.put("not_known_yet", on="/promotions/")
    run = made.simulator.world.start_promotion("TEST to PROD")
    assert await made.status(f"{RUNS}/{run}") == 404
    await pass_time(61)
    assert await made.status(f"{RUNS}/{run}") == 200


async def test_a_promotion_can_be_started_as_at_tmc(bench):
    made = bench()
    promotion = (await made.get(NAMES))[0]["executable"]
    answer = await made.api.post(RUNS, json={"executable": promotion})
    assert answer.status_code == 201
    assert_keeps("processing", "Execution", answer.json())
    assert await made.status(f"{RUNS}/{answer.json()['executionId']}") == 200
    wrong = [{"executable": "66b0aa00aa00aa00aa00dead"}, {"executable": 3}, []]
    assert [(await made.api.post(RUNS, json=each)).status_code for each in wrong] == [
        404,
        400,
        400,
    ]


async def test_a_started_promotion_may_be_accepted_without_an_id(bench):
    made = bench(dialect=Dialect(promotion_answer="accepted"))
    promotion = made.simulator.world.promotions.definitions[0].id
    answer = await made.api.post(RUNS, json={"executable": promotion})
    assert (answer.status_code, answer.content) == (202, b"")
    assert len(await made.get(LOG)) == 2


async def test_promotions_have_names_and_environments(bench):
    made = bench(quiet(environments=("PROD", "TEST", "DEV")))
    listed = await made.get(NAMES)
    assert [each["name"] for each in listed] == ["DEV to TEST", "TEST to PROD"]
    assert_keeps("orchestration", ["PromotionExecutableDetails"], listed)
    one = await made.get(f"{NAMES}/{listed[1]['executable']}")
    assert_keeps("orchestration", "PromotionExecutableDetails", one)
    assert one["targetEnvironment"]["name"] == "PROD"


async def test_the_truth_has_promotions(bench):
    made = bench()
    run = made.simulator.world.start_promotion("TEST to PROD", ends="PROMOTION_FAILED")
    await pass_time(40)
    told = [(each["kind"], each["status"]) for each in made.simulator.world.truth()]
    assert told == [("promotion", "PROMOTION_STARTED"), ("promotion", "PROMOTION_FAILED")]
    assert {each["execution_id"] for each in made.simulator.world.truth()} == {run}


async def test_a_promotion_can_be_stuck_and_a_status_unknown(bench):
    made = bench()
    run = made.simulator.world.start_promotion("TEST to PROD", ends="PROMOTION_STARTED")
    await pass_time(86_400)
    assert (await made.get(f"{RUNS}/{run}"))["status"] == "PROMOTION_STARTED"
    made.simulator.faults.put("unknown_status", status="REVIEWING")
    assert (await made.get(f"{RUNS}/{run}"))["status"] == "REVIEWING"


async def test_nonsense_is_not_staged(bench):
    world = bench().simulator.world
    with pytest.raises(UnknownSubject):
        world.start_promotion("PROD to MARS")
    with pytest.raises(ValueError, match="is no status of promotions"):
        world.start_promotion("TEST to PROD", ends="EXECUTION_FAILED")
    with pytest.raises(ValueError, match="promotes no 'nothing'"):
        world.start_promotion("TEST to PROD", ends="PROMOTION_FAILED", broken=["nothing"])


async def test_the_control_port_stages_promotions(bench):
    made = bench()
    name = made.simulator.world.promotions.definitions[0].plans[0].name
    wish = {"promotion_id": "TEST to PROD", "ends": "PROMOTION_WARNING", "broken": [name]}
    answer = await made.control.post("/promotion-runs", json=wish | {"lasts_seconds": 2})
    await pass_time(3)
    detail = await made.get(f"{RUNS}/{answer.json()['executionId']}")
    assert detail["status"] == "PROMOTION_WARNING"
    assert "TEST to PROD" in (await made.control.get("/world")).json()["promotions"]
    assert (await made.control.post("/promotion-runs", json={"broken": 3})).status_code == 400


@pytest.mark.parametrize("shape", ["documented", "shouting", "nested", "bare"])
async def test_the_audit_log_tells_of_runs_in_several_shapes(bench, shape):
    made = bench(dialect=Dialect(audit_entries=shape))
    run = made.simulator.world.start_promotion("TEST to PROD")
    entries = await made.get(LOG)
    assert len(entries) == 2
    assert (run in str(entries[0])) == (shape != "bare")
    if shape == "documented":
        assert_keeps("security", ["AuditLog"], entries)


async def test_the_audit_log_is_paged_newest_first_with_counts_in_headers(bench):
    made = bench()
    for number in range(3):
        made.simulator.world.start_promotion("TEST to PROD", at=EPOCH + seconds(10 * number))
    await pass_time(60)
    answer = await made.api.get(LOG, params={"page": 2, "size": 4})
    assert [each["timestamp"][11:19] for each in answer.json()] == ["00:00:00", "23:59:59"]
    headers = answer.headers
    assert (headers["total-elements"], headers["total-pages"]) == ("6", "2")
    assert (headers["page-first"], headers["page-last"]) == ("false", "true")


async def test_the_audit_log_begins_at_a_date_or_an_id(bench):
    made = bench()
    for number in range(3):
        made.simulator.world.start_promotion("TEST to PROD", at=EPOCH + seconds(10 * number))
    await pass_time(60)
    since = (EPOCH + timedelta(seconds=15)).isoformat()
    assert len(await made.get(LOG, fromDate=since)) == 2
    newest = (await made.get(LOG))[0]["logId"]
    assert len(await made.get(LOG, fromId=newest)) == 1
    assert await made.get(LOG, fromId=NOBODY) == []
    assert await made.status(LOG, fromDate="yesterday") == 400
    assert await made.status(LOG, fromDate="2030-01-01T00:00:00Z") == 400
    assert await made.status(LOG, size=1001) == 400


async def test_the_audit_log_can_be_forbidden(bench):
    made = bench()
    made.simulator.faults.put("forbidden", on="/security/")
    assert await made.status(LOG) == 403
    assert await made.status(NAMES) == 200
