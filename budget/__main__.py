"""`python -m budget`: the gateway, set up by BUDGET_* variables."""

import logging

from budget.server import serve
from budget.settings import Settings
from serving.errors import StartError, refuse
from serving.logs import configure_logs
from serving.settings import read_settings


def main() -> None:
    """Serve, or say in one line why not."""
    configure_logs({"asyncio": logging.WARNING, "aiohttp": logging.WARNING})
    try:
        serve(read_settings(Settings))
    except StartError as error:
        refuse("budget", error)


if __name__ == "__main__":
    main()
