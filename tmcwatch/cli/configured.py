"""The configuration as a command needs it: loaded, its files checked, every problem a line."""

import os
from pathlib import Path

from tmcwatch.app.templates import template_problems
from tmcwatch.cli.ending import wrong_usage
from tmcwatch.config import Config, ConfigError, check_files, load


def checked(path: Path) -> Config:
    """Load a file and look at the files it names; raises ConfigError with all that is wrong."""
    config = load(path, environ=os.environ)
    problems = [*check_files(config), *template_problems(config)]
    if problems:
        raise ConfigError(problems)
    return config


def configured(path: Path) -> Config:
    """Load a file, or end the command with a line for each problem."""
    try:
        return checked(path)
    except ConfigError as error:
        raise wrong_usage(*map(str, error.problems)) from error
