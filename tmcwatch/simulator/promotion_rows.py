"""TMC's JSON of promotions: the definition, and a run with a report on everything it moved."""

from tmcwatch.simulator import rows
from tmcwatch.simulator.execution import falls_under
from tmcwatch.simulator.promotions import Promotion, PromotionRun
from tmcwatch.simulator.rows import USER, Json, stamp
from tmcwatch.simulator.tenant import Plan, Task, Workspace
from tmcwatch.simulator.view import View

MESSAGES = {"PROMOTION_FAILED": "promotion failed"}


def definition_row(promotion: Promotion) -> Json:
    return {
        "executable": promotion.id,
        "name": promotion.name,
        "sourceEnvironment": rows.environment(promotion.source),
        "targetEnvironment": rows.environment(promotion.target),
    }


def run_detail(run: PromotionRun, view: View) -> Json:
    """Return an execution by id; while it runs it has no reports and no finish."""
    detail: Json = {
        "executionId": run.execution_id,
        "triggerTimestamp": stamp(run.triggered + view.skew),
        "startTimestamp": stamp(run.triggered + view.skew),
        "promotionId": run.promotion.id,
        "context": "",
        "status": _status(run, view),
        "workspaces": [],
        "engines": [],
        "clusters": [],
        **USER,
    }
    if view.now < run.finished:
        return detail
    return detail | {
        "finishTimestamp": stamp(run.finished + view.skew),
        "pipelineId": run.promotion.id,
        "keepTargetResources": True,
        "keepTargetRunProfiles": True,
        "defective": run.defective,
        "statusMessage": MESSAGES.get(run.end, ""),
        "workspaces": [_workspace(each, run) for each in run.promotion.workspaces],
    }


def _status(run: PromotionRun, view: View) -> str:
    running = view.now < run.finished
    if running and falls_under(run.number, view.unknown_share):
        return view.unknown_status
    return run.status(view.now)


def _workspace(workspace: Workspace, run: PromotionRun) -> Json:
    promotion = run.promotion
    return {
        "id": workspace.id,
        "targetId": _target(workspace.id),
        "name": workspace.name,
        "type": "WORKSPACE",
        "workspaceType": "Custom",
        "analyzeReport": _report("REUSED"),
        "promotionReport": _report("REUSED"),
        "flows": [_flow(each, run) for each in promotion.tasks if each.workspace == workspace],
        "plans": [_plan(each, run) for each in promotion.plans if each.workspace == workspace],
        "actions": [_action(each) for each in promotion.tasks if each.workspace == workspace],
        "connections": [],
        "resources": [],
        "engines": [],
        "clusters": [],
    }


def _flow(task: Task, run: PromotionRun) -> Json:
    return {
        "id": task.id,
        "targetId": _target(task.id),
        "name": task.name,
        "type": "FLOW",
        "jobType": "STANDARD",
        "version": 4,
        "targetVersion": task.version,
        "artifactId": task.artifact_id,
        "workspaceId": task.workspace.id,
        **_reports(task.name, run),
    }


def _plan(plan: Plan, run: PromotionRun) -> Json:
    return {
        "id": plan.id,
        "targetId": plan.id,
        "name": plan.name,
        "type": "PLAN",
        **_reports(plan.name, run),
    }


def _action(task: Task) -> Json:
    return {
        "id": task.artifact_id,
        "targetId": _target(task.artifact_id),
        "name": task.name,
        "type": "ACTION",
        "version": "0.1.4",
        "targetVersion": "0.1.4",
        "jobType": "STANDARD",
        "promotionReport": _report("CREATED"),
    }


def _reports(name: str, run: PromotionRun) -> Json:
    analysis = {"analyzeReport": _report("REPLACED")}
    if run.end == "ANALIZED":
        return analysis
    if name not in run.broken:
        return analysis | {"promotionReport": _report("REPLACED")}
    warns = run.end == "PROMOTION_WARNING"
    status, level = ("SKIPPED", "WARN") if warns else ("FAILED", "ERROR")
    told = {"info": run.error or "", "level": level}
    return analysis | {"promotionReport": {"status": status, "messages": [told]}}


def _report(status: str) -> Json:
    return {"status": status, "messages": []}


def _target(identity: str) -> str:
    """Return the id in the target environment: another one, and always the same."""
    return f"66b1{identity[4:]}"
