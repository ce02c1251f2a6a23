"""Everything an operator can set, checked, with errors that name file, line and key."""

from tmcwatch.config.authorities import authority_files
from tmcwatch.config.loading import check_files, fingerprint, load
from tmcwatch.config.model import Account, Config, Receiver
from tmcwatch.config.problems import ConfigError, Problem
from tmcwatch.config.routes import routing_tree
from tmcwatch.config.rule_files import rule_files
from tmcwatch.config.rules import rules_of
from tmcwatch.config.schema import json_schema

__all__ = [
    "Account",
    "Config",
    "ConfigError",
    "Problem",
    "Receiver",
    "authority_files",
    "check_files",
    "fingerprint",
    "json_schema",
    "load",
    "routing_tree",
    "rule_files",
    "rules_of",
]
