"""The tables. Times are microseconds since 1970 in UTC, which every database stores alike."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself only in a column that is exactly INTEGER.
_Sequence = BigInteger().with_variant(Integer, "sqlite")

compatibility = Table(
    "compatibility",
    metadata,
    # The oldest schema whose code may run on this store; one row, read by versions to come back.
    Column("readable_by", String, primary_key=True),
)

capture = Table(
    "capture",
    metadata,
    Column("account", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("watched_from", BigInteger, nullable=False),  # TMC's time of the first look
    Column("watermark", BigInteger, nullable=False),  # everything before is certified as read
    Column("head_at", BigInteger, nullable=False),  # our time of the last look that succeeded
    Column("history_from", BigInteger),  # history is still to be read from here
    Column("history_to", BigInteger),  # up to here; both null once it is read
    Column("away_from", BigInteger),  # an outage is being caught up with: it began here
    Column("away_to", BigInteger),  # and ended here; both null once the watermark is past it
    Column("skew", BigInteger, nullable=False, server_default="0"),  # TMC's clock less ours
    Column("settle", BigInteger),  # the learned settle lag
    Column("reading", String),  # how TMC reads a window, null until it showed
    Column("widest", BigInteger),  # the widest window TMC took, null until it refused one
    Column("deepest", BigInteger),  # the highest offset TMC takes, null until it showed
    Column("checked_from", BigInteger),  # checks begin here where that is after `watched_from`
    Column("checked_to", BigInteger),  # up to here everything is certified a second time
    Column("audited_at", BigInteger),  # TMC's time of the last audit of a random window
    Column("audited_day_at", BigInteger),  # and of the last audit of a whole day
)

gaps = Table(
    "gaps",
    metadata,
    Column("account", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("end", BigInteger, nullable=False),  # what ran in between nobody can read any more
    Column("found_at", BigInteger, nullable=False),
)

conditions = Table(
    "conditions",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("rule", String, nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),  # of a list; empty for the account as a whole
    Column("subject", String, nullable=False),  # such as a workspace's id; empty for the list
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),  # null while it lasts
    Column("told", Boolean, nullable=False),  # whether alerting took note of its last change
    sqlite_autoincrement=True,
)
Index(
    "ix_conditions_untold",
    conditions.c.sequence,
    sqlite_where=conditions.c.told == false(),
    postgresql_where=conditions.c.told == false(),
)

budgets = Table(
    "budgets",
    metadata,
    Column("name", String, primary_key=True),  # such as the address that it paces
    Column("family", String, primary_key=True),
    Column("rate", Float, nullable=False),  # calls per second
    Column("paused_until", BigInteger),  # our time; null once TMC served a call after the pause
    Column("at", BigInteger, nullable=False),  # our time of this row
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("account", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("visible", Boolean, nullable=False),  # whether the account sees it at present
)

promotions = Table(
    "promotions",
    metadata,
    Column("account", String, primary_key=True),
    Column("execution", String, primary_key=True),
    Column("source", String, nullable=False),  # config, request or audit_log
    Column("asked_at", BigInteger, nullable=False),  # when we were asked to follow it
    Column("read_at", BigInteger),  # when TMC first knew it, null until then
)

subjects = Table(
    "subjects",
    metadata,
    Column("account", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("workspace_id", String),
    Column("workspace", Text, nullable=False),
    Column("environment_id", String),
    Column("environment", Text, nullable=False),
    Column("listed", Boolean, nullable=False),  # still in TMC's list of names
    Column("outside", Boolean, nullable=False, server_default=false()),  # of what is watched
    Column("last_success_at", BigInteger),
    Column("last_completion_at", BigInteger),
    Column("last_phase", String),
    Column("failing_since", BigInteger),
    Column("consecutive_failures", Integer, nullable=False, default=0),
    Column("succeeded", BigInteger, nullable=False, default=0),  # counters; never go down
    Column("failed", BigInteger, nullable=False, default=0),
    Column("other", BigInteger, nullable=False, default=0),
)

executions = Table(
    "executions",
    metadata,
    Column("account", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("subject", String),
    Column("phase", String, nullable=False),
    Column("status", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("triggered_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("reason", String),
    Column("error", Text),
    Column("engine", String),
    Column("plan", String),
    Column("workspace", String),
    Column("rows_processed", BigInteger),
    Column("rows_rejected", BigInteger),
    Column("breakage", Text),  # JSON
    Column("detailed", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_executions_triggered", "account", "kind", "triggered_at"),
    Index("ix_executions_subject", "account", "kind", "subject", "ended_at"),
)
Index(
    "ix_executions_open",
    executions.c.account,
    executions.c.kind,
    # As queries write it: SQLite takes a partial index only for the very same expression.
    sqlite_where=executions.c.open == true(),
    postgresql_where=executions.c.open == true(),
)

transitions = Table(
    "transitions",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("execution", String, nullable=False),
    Column("subject", String),
    Column("phase", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("trigger", String, nullable=False),
    Column("reason", String),
    Column("error", Text),
    Column("breakage", Text),  # JSON
    Column("corrects", String),
    Column("quiet", Boolean, nullable=False),
    Column("backfilled", Boolean, nullable=False),
    Index("ix_transitions_seen_at", "seen_at"),
    sqlite_autoincrement=True,
)

counters = Table(
    "counters",
    metadata,
    Column("metric", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("workspace", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("label", String, primary_key=True),  # result, reason or upper bound of a bucket
    Column("value", Float, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("execution", String),
    Column("problem", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String, primary_key=True),
    Column("rule", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("labels", Text, nullable=False),  # JSON
    Column("annotations", Text, nullable=False),  # JSON
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("end_reason", String),
    Column("count", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    # Found while an outage is caught up with: not told until that is done.
    Column("held", Boolean, nullable=False, server_default=false()),
    Column("due_at", BigInteger),  # its rule's `for` runs until then; null once it counts
    Column("acknowledged_by", Text),  # null unless someone took it on
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_until", BigInteger),  # null: until it ends
    Column("snoozed_at", BigInteger),  # null unless someone wants to hear no more of it
    Column("snoozed_until", BigInteger),  # null: until it ends
    Index("ix_alerts_subject", "account", "kind", "subject", "opened_at"),
    Index("ix_alerts_opened_at", "opened_at"),
    Index("ix_alerts_changed_at", "changed_at"),
)
Index(
    "ix_alerts_due_at",
    alerts.c.due_at,
    sqlite_where=alerts.c.due_at.is_not(None),
    postgresql_where=alerts.c.due_at.is_not(None),
)
Index(
    "ix_alerts_held",
    alerts.c.account,
    alerts.c.kind,
    sqlite_where=alerts.c.held == true(),
    postgresql_where=alerts.c.held == true(),
)
Index(
    "ix_alerts_open",
    alerts.c.account,
    alerts.c.kind,
    alerts.c.subject,
    sqlite_where=alerts.c.ends_at.is_(None),
    postgresql_where=alerts.c.ends_at.is_(None),
)

notes = Table(
    "notes",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("alert", String, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("act", String, nullable=False),  # of domain.attention.Act
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)

silences = Table(
    "silences",
    metadata,
    Column("id", String, primary_key=True),
    Column("matchers", Text, nullable=False),  # JSON: a list of texts
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("reminded", Boolean, nullable=False),  # whether its end was announced
)

storms = Table(
    "storms",
    metadata,
    Column("receiver", String, primary_key=True),  # in a storm at present
    Column("since", BigInteger, nullable=False),
    Column("flushed_at", BigInteger),  # when its last summary was told
)

parked = Table(
    "parked",
    metadata,
    Column("target", String, primary_key=True),  # left alone at present
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("refused", Boolean, nullable=False),  # it refused the login; else it asked to wait
)

rule_watches = Table(
    "rule_watches",
    metadata,
    Column("rule", String, primary_key=True),
    Column("watched_from", BigInteger, nullable=False),  # what happened before is not told
)

groups = Table(
    "groups",
    metadata,
    Column("key", String, primary_key=True),
    Column("receiver", String, nullable=False),
    Column("labels", Text, nullable=False),  # JSON
    Column("number", Integer, nullable=False),  # of the last message
    Column("flush_at", BigInteger, index=True),  # null: nothing to tell
    Column("flushed_at", BigInteger),
)

members = Table(
    "members",
    metadata,
    Column("group_key", String, primary_key=True),
    Column("alert", String, primary_key=True),
    Column("told", String),  # null, firing or resolved
    Column("told_at", BigInteger),
    Column("told_severity", String),  # as it was told; a rise since is told as a change
    Column("muted", Text),  # why it was not told when the group was last looked at
    Index("ix_members_alert", "alert"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("receiver", String, nullable=False),
    Column("target", String, nullable=False),  # one way of telling: `oncall/webhook`
    Column("group_key", String, nullable=False),
    Column("number", Integer, nullable=False),  # order inside a group
    Column("state", String, nullable=False),  # pending, sending, delivered, dead
    Column("facts", Text, nullable=False),  # JSON of domain.message.Message
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("receipt", Text),
    Column("error", Text),
    Index("ix_deliveries_target", "target", "state", "due_at"),
    Index("ix_deliveries_group", "group_key", "target", "number"),
)
