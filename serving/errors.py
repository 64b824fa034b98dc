"""Why a service does not start.

StartError   the operator's to mend: one plain line that names the setting; exit 2
"""

import sys
from typing import Final, NoReturn

USAGE_ERROR: Final = 2


class StartError(Exception):
    """The service can't start; the message is the one line that the operator reads."""


def refuse(service: str, error: StartError) -> NoReturn:
    """Say why the service does not start, and exit with 2."""
    sys.stderr.write(f"{service}: {error}\n")
    sys.exit(USAGE_ERROR)
