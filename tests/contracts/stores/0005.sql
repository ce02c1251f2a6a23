BEGIN TRANSACTION;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE "alerts" (
	id VARCHAR NOT NULL, 
	rule VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	labels TEXT NOT NULL, 
	annotations TEXT NOT NULL, 
	starts_at BIGINT NOT NULL, 
	ends_at BIGINT, 
	end_reason VARCHAR, 
	count INTEGER NOT NULL, 
	opened_at BIGINT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	held BOOLEAN DEFAULT 0 NOT NULL, due_at BIGINT, acknowledged_at BIGINT, acknowledged_until BIGINT, snoozed_at BIGINT, snoozed_until BIGINT, acknowledged_by TEXT, 
	CONSTRAINT pk_alerts PRIMARY KEY (id)
);
INSERT INTO "alerts" VALUES('a1','failed','warning','prod','task','t1','{"account": "prod", "kind": "task", "id": "t1", "name": "load"}','{"latest_at": "2026-11-20T12:00:00+00:00"}',1795176000000000,NULL,NULL,1,1795176000000000,1795176000000000,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE budgets (
	name VARCHAR NOT NULL, 
	family VARCHAR NOT NULL, 
	rate FLOAT NOT NULL, 
	paused_until BIGINT, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (name, family)
);
INSERT INTO "budgets" VALUES('https://api.eu.cloud.talend.com','processing',4.8,1795176030000000,1795176000000000);
CREATE TABLE capture (
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	watched_from BIGINT NOT NULL, 
	watermark BIGINT NOT NULL, 
	head_at BIGINT NOT NULL, 
	history_from BIGINT, 
	history_to BIGINT, away_from BIGINT, away_to BIGINT, skew BIGINT DEFAULT '0' NOT NULL, settle BIGINT, reading VARCHAR, widest BIGINT, deepest BIGINT, checked_from BIGINT, checked_to BIGINT, audited_at BIGINT, audited_day_at BIGINT, 
	CONSTRAINT pk_capture PRIMARY KEY (account, kind)
);
INSERT INTO "capture" VALUES('prod','task',1795172400000000,1795175940000000,1795176000000000,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE compatibility (
	readable_by VARCHAR NOT NULL, 
	CONSTRAINT pk_compatibility PRIMARY KEY (readable_by)
);
INSERT INTO "compatibility" VALUES('0004');
CREATE TABLE conditions (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	rule VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	text TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT, 
	told BOOLEAN NOT NULL
);
CREATE TABLE counters (
	metric VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	environment VARCHAR NOT NULL, 
	workspace VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	label VARCHAR NOT NULL, 
	value FLOAT NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (metric, account, environment, workspace, kind, label)
);
CREATE TABLE cursors (
	name VARCHAR NOT NULL, 
	sequence BIGINT NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (name)
);
INSERT INTO "cursors" VALUES('alerting',1);
INSERT INTO "cursors" VALUES('names:prod',1);
CREATE TABLE deliveries (
	id VARCHAR NOT NULL, 
	receiver VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	group_key VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	facts TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	receipt TEXT, 
	error TEXT, 
	CONSTRAINT pk_deliveries PRIMARY KEY (id)
);
CREATE TABLE executions (
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	subject VARCHAR, 
	phase VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	"trigger" VARCHAR NOT NULL, 
	triggered_at BIGINT NOT NULL, 
	started_at BIGINT, 
	ended_at BIGINT, 
	reason VARCHAR, 
	error TEXT, 
	engine VARCHAR, 
	"plan" VARCHAR, 
	workspace VARCHAR, 
	rows_processed BIGINT, 
	rows_rejected BIGINT, 
	breakage TEXT, 
	detailed BOOLEAN NOT NULL, 
	open BOOLEAN NOT NULL, 
	first_seen_at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	CONSTRAINT pk_executions PRIMARY KEY (account, kind, id)
);
INSERT INTO "executions" VALUES('prod','task','r1','t1','running','running','scheduled',1795176000000000,1795175820000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1,1795176000000000,1795176000000000);
INSERT INTO "executions" VALUES('prod','task','r2','t1','failed','failed','scheduled',1795176000000000,1795175460000000,1795175760000000,NULL,'boom',NULL,NULL,NULL,NULL,NULL,NULL,1,0,1795176000000000,1795176000000000);
CREATE TABLE gaps (
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	start BIGINT NOT NULL, 
	"end" BIGINT NOT NULL, 
	found_at BIGINT NOT NULL, 
	CONSTRAINT pk_gaps PRIMARY KEY (account, kind, start)
);
CREATE TABLE groups (
	"key" VARCHAR NOT NULL, 
	receiver VARCHAR NOT NULL, 
	labels TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	flush_at BIGINT, 
	flushed_at BIGINT, 
	CONSTRAINT pk_groups PRIMARY KEY ("key")
);
INSERT INTO "groups" VALUES('g','team','{}',1,1795179600000000,1795176000000000);
CREATE TABLE members (
	group_key VARCHAR NOT NULL, 
	alert VARCHAR NOT NULL, 
	told VARCHAR, 
	told_at BIGINT, told_severity VARCHAR, muted TEXT, 
	CONSTRAINT pk_members PRIMARY KEY (group_key, alert)
);
INSERT INTO "members" VALUES('g','a1',NULL,NULL,NULL,NULL);
CREATE TABLE notes (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	alert VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	author TEXT NOT NULL, 
	act VARCHAR NOT NULL, 
	text TEXT NOT NULL
);
CREATE TABLE parked (
	target VARCHAR NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT NOT NULL, 
	refused BOOLEAN NOT NULL, 
	CONSTRAINT pk_parked PRIMARY KEY (target)
);
CREATE TABLE promotions (
	account VARCHAR NOT NULL, 
	execution VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	asked_at BIGINT NOT NULL, 
	read_at BIGINT, 
	CONSTRAINT pk_promotions PRIMARY KEY (account, execution)
);
CREATE TABLE quarantine (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	execution VARCHAR, 
	problem TEXT NOT NULL, 
	"row" TEXT NOT NULL, 
	seen_at BIGINT NOT NULL
);
INSERT INTO "quarantine" VALUES(1,'prod','task',NULL,'no time','{}',1795176000000000);
CREATE TABLE rule_watches (
	rule VARCHAR NOT NULL, 
	watched_from BIGINT NOT NULL, 
	CONSTRAINT pk_rule_watches PRIMARY KEY (rule)
);
CREATE TABLE silences (
	id VARCHAR NOT NULL, 
	matchers TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	comment TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	starts_at BIGINT NOT NULL, 
	ends_at BIGINT NOT NULL, 
	reminded BOOLEAN NOT NULL, 
	CONSTRAINT pk_silences PRIMARY KEY (id)
);
CREATE TABLE storms (
	receiver VARCHAR NOT NULL, 
	since BIGINT NOT NULL, 
	flushed_at BIGINT, 
	CONSTRAINT pk_storms PRIMARY KEY (receiver)
);
CREATE TABLE "subjects" (
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	workspace_id VARCHAR, 
	workspace TEXT NOT NULL, 
	environment_id VARCHAR, 
	environment TEXT NOT NULL, 
	listed BOOLEAN NOT NULL, 
	last_success_at BIGINT, 
	last_completion_at BIGINT, 
	last_phase VARCHAR, 
	failing_since BIGINT, 
	consecutive_failures INTEGER NOT NULL, 
	succeeded BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	other BIGINT NOT NULL, 
	outside BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_subjects PRIMARY KEY (account, kind, id)
);
INSERT INTO "subjects" VALUES('prod','task','t1','load','w','finance','e','PROD',1,NULL,NULL,NULL,NULL,0,0,0,0,0);
CREATE TABLE transitions (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	execution VARCHAR NOT NULL, 
	subject VARCHAR, 
	phase VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	"trigger" VARCHAR NOT NULL, 
	reason VARCHAR, 
	error TEXT, 
	breakage TEXT, 
	corrects VARCHAR, 
	quiet BOOLEAN NOT NULL, 
	backfilled BOOLEAN NOT NULL
);
INSERT INTO "transitions" VALUES(1,'prod','task','r2','t1','failed',1795175760000000,1795175765000000,'scheduled',NULL,'boom',NULL,NULL,0,0);
CREATE TABLE workspaces (
	account VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	visible BOOLEAN NOT NULL, 
	CONSTRAINT pk_workspaces PRIMARY KEY (account, id)
);
CREATE INDEX ix_executions_triggered ON executions (account, kind, triggered_at);
CREATE INDEX ix_executions_open ON executions (account, kind) WHERE open = 1;
CREATE INDEX ix_executions_subject ON executions (account, kind, subject, ended_at);
CREATE INDEX ix_transitions_seen_at ON transitions (seen_at);
CREATE INDEX ix_groups_flush_at ON groups (flush_at);
CREATE INDEX ix_deliveries_target ON deliveries (target, state, due_at);
CREATE INDEX ix_deliveries_group ON deliveries (group_key, target, number);
CREATE INDEX ix_conditions_untold ON conditions (sequence) WHERE told = 0;
CREATE INDEX ix_alerts_open ON alerts (account, kind, subject) WHERE ends_at IS NULL;
CREATE INDEX ix_alerts_held ON alerts (account, kind) WHERE held = 1;
CREATE INDEX ix_alerts_subject ON alerts (account, kind, subject, opened_at);
CREATE INDEX ix_alerts_opened_at ON alerts (opened_at);
CREATE INDEX ix_alerts_changed_at ON alerts (changed_at);
CREATE INDEX ix_alerts_due_at ON alerts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_members_alert ON members (alert);
CREATE INDEX ix_notes_alert ON notes (alert);
CREATE INDEX ix_silences_ends_at ON silences (ends_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('transitions',1);
INSERT INTO "sqlite_sequence" VALUES('quarantine',1);
COMMIT;
