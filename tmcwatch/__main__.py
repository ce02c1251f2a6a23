"""The entry point: `tmcwatch` and `python -m tmcwatch`."""

from tmcwatch.cli.commands import tmcwatch


def main() -> None:
    tmcwatch(prog_name="tmcwatch")


if __name__ == "__main__":
    main()
