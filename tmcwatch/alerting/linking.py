"""Links to runs in TMC, as the config of their account makes them."""

from tmcwatch.alerting.settings import AccountLinks, Settings
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Subject
from tmcwatch.domain.link import run_link


def link_to(
    settings: Settings, account: AccountName, subject: Subject, execution: ExecutionId
) -> str:
    """Answer with a link to one run, empty where there is none."""
    links = settings.accounts.get(account, AccountLinks())
    if subject.kind is not Kind.TASK and "{kind}" not in links.template:
        return ""  # the way to a plan's run is not known
    return run_link(
        links.template,
        {
            "region": links.region,
            "environment_id": subject.environment_id,
            "workspace_id": subject.workspace_id,
            "kind": subject.kind.value,
            "id": subject.id,
            "execution_id": execution,
        },
    )
