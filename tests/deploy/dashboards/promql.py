"""The kinds of questions that the dashboards ask, whatever is scraped under which labels.

Nothing here names a label that a scrape adds: each question says by which of our own labels it
answers, and so takes what a restarted process or several replicas say for one.
"""

ACCOUNTS = 'account=~"$account"'
WORKSPACES = f'{ACCOUNTS}, environment=~"$environment", workspace=~"$workspace"'

LIST = "account, kind"
WORKSPACE = "account, environment, workspace, kind"
SUBJECT = f"{WORKSPACE}, id"

BAD = 'result=~"failed|deploy_failed|timed_out|shut_down|misfired"'
"""The ends that the recording rules count as bad."""

RANGE = "$__range"
"""All that the dashboard shows."""
STEP = "$__rate_interval"
"""A step of a graph and one scrape more, so that nothing falls between two steps."""


def level(metric: str, by: str, where: str = "") -> str:
    """Ask for a gauge."""
    return f"max by ({by}) (tmcwatch_{metric}{{{where}}})"


def age(metric: str, by: str, where: str = "") -> str:
    """Ask for the seconds since a moment."""
    return f"time() - {level(metric, by, where)}"


def growth(metric: str, by: str, where: str = "", *, over: str = STEP, at: str = "") -> str:
    """Ask for how much a stored counter grew; `by` are all of its labels.

    A stored counter goes on after a restart and is the same in each replica. So its end less its
    beginning is exact, where `increase` would guess, and lose what was counted around a restart.
    """
    selector = f"tmcwatch_{metric}{{{where}}}[{over}]{at}"
    end = f"max by ({by}) (max_over_time({selector}))"
    beginning = f"min by ({by}) (min_over_time({selector}))"
    return f"({end} - {beginning})"


def counted(metric: str, by: str, where: str = "", *, over: str = STEP) -> str:
    """Ask for how much a counter grew that each process keeps for itself."""
    return f"sum by ({by}) (increase(tmcwatch_{metric}{{{where}}}[{over}]))"


def per_minute(metric: str, by: str, where: str = "") -> str:
    return f"60 * sum by ({by}) (rate(tmcwatch_{metric}{{{where}}}[{STEP}]))"


def quantile(share: float, buckets: str) -> str:
    return f"histogram_quantile({share}, {buckets})"


def waited(share: float, metric: str, by: str = "", where: str = "", *, over: str = STEP) -> str:
    """Ask for a quantile of a histogram that each process keeps for itself."""
    labels = f"le, {by}" if by else "le"
    return quantile(share, counted(f"{metric}_bucket", labels, where, over=over))


def named(question: str, where: str = "") -> str:
    """Add the name of each task, plan or promotion, as far as names are scraped."""
    infos = " or ".join(
        f"tmcwatch_{kind}_info{{{where}}}" for kind in ("task", "plan", "promotion")
    )
    # One name each, even while a new one is already scraped from one replica only.
    names = f"topk by ({SUBJECT}) (1, max by ({SUBJECT}, name) ({infos}))"
    with_name = f"({question}) * on ({SUBJECT}) group_left (name) {names}"
    # Names are the first to be left out when there are too many series.
    return f"{with_name} or on ({SUBJECT}) ({question})"
