"""The `runaway` command: parses, calls, prints, and ends with the documented exit code.

0 as expected, 1 not as expected, 2 could not run or unknown, 3 stopped by the budget guard,
130 stopped by the user.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from lab.errors import LabError, StoppedError, UsageError
from lab.printing import print_problems
from lab.verbs import VERBS
from lab.verbs.options import COULD_NOT_RUN, INTERRUPTED, OK

_BROKEN_PIPE = 141

app = App(
    name="runaway",
    help="A crash-test lab and an airbag for durable LLM workflows.",
    version=version("runaway"),
    suppress_keyboard_interrupt=False,
)
for verb in VERBS:
    app.command(verb)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never shows a traceback for bad input."""
    try:
        if not arguments:
            app.help_print()
            return COULD_NOT_RUN
        result = app(
            list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        print_problems([*str(error).strip().splitlines(), "`runaway --help` lists what there is"])
        return COULD_NOT_RUN
    except UsageError as error:
        print_problems(error.problems)
        return COULD_NOT_RUN
    except (StoppedError, KeyboardInterrupt):
        print_problems(["stopped"])
        return INTERRUPTED
    except LabError as error:
        print_problems([str(error)])
        return COULD_NOT_RUN
    return result if isinstance(result, int) else OK


def _unforeseen(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return f"{said} ({place.name}, line {place.lineno} of {place.filename})"


def main() -> None:
    """Run the command line."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  # Python's own exit code would say "not as expected"
        print_problems([_unforeseen(error)])
        code = COULD_NOT_RUN
    sys.exit(code)
