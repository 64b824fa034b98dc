"""`python -m budget.keys`: makes, lists and revokes keys in the Redis of BUDGET_REDIS_URL."""

import sys

from budget.access.cli import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
