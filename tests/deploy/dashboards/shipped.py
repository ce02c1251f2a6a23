"""The dashboards that are shipped: what each file holds, and where it lies."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tests.deploy.dashboards import alert_path, api_budget, overview, subject
from tests.deploy.dashboards.frame import Board, built

FOLDER = Path(__file__).parents[3] / "deploy/grafana"


def boards() -> list[Board]:
    return [overview.board(), subject.board(), api_budget.board(), alert_path.board()]


def files() -> dict[str, str]:
    """Answer with the text of each file by its name."""
    return {
        f"{board.uid}.json": json.dumps(built(board), cls=JSONEncoder, indent=2, sort_keys=True)
        + "\n"
        for board in boards()
    }
