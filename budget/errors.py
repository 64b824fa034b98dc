"""What goes wrong in the gateway, by who can act on it.

BudgetError
├── StoreError                 the store, not the caller
│   ├── StoreUnavailableError  no answer, or none that can be trusted: the gateway is closed
│   │   └── StoreLostError     it answers, but lost or rolled back its ledger
│   └── StoreArgumentError     the store refused an argument of ours: a defect here
├── RefusedError               the caller: this call is not made; carries the HTTP answer
└── UpstreamError              the provider; carries the HTTP answer

StartError (of serving)
└── UnsafeStoreError           the operator: Redis is not set up to keep what it acknowledged
"""

from typing import TYPE_CHECKING

from serving.errors import StartError

if TYPE_CHECKING:
    from budget.calls.refusals import Refusal


class BudgetError(Exception):
    """Base of every error of this package."""


class UnsafeStoreError(StartError):
    """Redis may forget money that it has acknowledged."""


class StoreError(BudgetError):
    """The store did not do what was asked."""


class StoreUnavailableError(StoreError):
    """The store gave no answer that can be trusted; what it did is not known."""


class StoreLostError(StoreUnavailableError):
    """The store's ledger is another one, or an older one, than the gateway has seen."""


class StoreArgumentError(StoreError):
    """The store refused an argument before writing anything."""


class RefusedError(BudgetError):
    """A call that is not made.

    Attributes:
        refusal: What the caller is told.
    """

    def __init__(self, refusal: "Refusal") -> None:
        self.refusal = refusal
        super().__init__(refusal.message)


class UpstreamError(BudgetError):
    """The provider gave no answer that could be passed on.

    Attributes:
        refusal: What the caller is told.
    """

    def __init__(self, refusal: "Refusal") -> None:
        self.refusal = refusal
        super().__init__(refusal.message)
