"""What keeps a gateway with a journal closed.

StoreUnavailableError (of budget)
├── RecoveringError   the ledger is not known to be whole: it is rebuilt, or waits for somebody
└── JournalError      the disk did not take a record

StartError (of serving)
└── JournalDirError   the operator: BUDGET_JOURNAL_DIR can't be used
"""

from budget.errors import StoreUnavailableError
from serving.errors import StartError


class RecoveringError(StoreUnavailableError):
    """No money moves until the ledger is whole, or an operator decides; the message says why."""


class JournalError(StoreUnavailableError):
    """The journal could not be written: what it does not hold must not go upstream."""


class JournalDirError(StartError):
    """The folder of the journal can't be used."""
