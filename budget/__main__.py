"""`python -m budget`: the gateway, set up by BUDGET_* variables."""

import sys

from budget.errors import StartError
from budget.logs import configure_logs
from budget.server import serve
from budget.settings import load_settings

USAGE_ERROR = 2


def main() -> None:
    """Serve, or say in one line why not."""
    configure_logs()
    try:
        serve(load_settings())
    except StartError as error:
        sys.stderr.write(f"budget: {error}\n")
        sys.exit(USAGE_ERROR)


if __name__ == "__main__":
    main()
