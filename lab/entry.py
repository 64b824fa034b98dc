"""Where the program begins: nothing is imported before Ctrl-C has an answer."""

import sys


def main() -> None:
    """Run the command line; a Ctrl-C while it is still loading ends it in one line."""
    try:
        from lab.cli import main as run  # noqa: PLC0415  # this module's purpose

        run()
    except KeyboardInterrupt:
        sys.stderr.write("runaway: stopped\n")
        sys.exit(130)
