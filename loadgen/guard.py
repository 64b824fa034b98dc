"""How much a run has spent, and whether it must stop: integers of nano-dollars from JSON alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

BLIND_LIMIT_S: Final = 10.0
"""With a limit to hold, a run does not go on longer than this without seeing what it spends."""

_NANO_PER_USD: Final = 10**9
_NO_BUDGET: Final = {"cut_off_unix_ms": None, "spent": {"nano_usd": 0}}


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the fake LLM has charged since it started."""

    calls: int
    duplicate_calls: int
    nano_usd: int

    def plus(self, other: "Ledger") -> "Ledger":
        """Return the sum of two amounts."""
        return Ledger(
            self.calls + other.calls,
            self.duplicate_calls + other.duplicate_calls,
            self.nano_usd + other.nano_usd,
        )

    def minus(self, other: "Ledger") -> "Ledger":
        """Return what was added since `other`."""
        return Ledger(
            self.calls - other.calls,
            self.duplicate_calls - other.duplicate_calls,
            self.nano_usd - other.nano_usd,
        )

    @classmethod
    def from_json(cls, spend: Mapping[str, Any]) -> "Ledger":
        """Read the answer of `GET /spend`; a KeyError or TypeError when it is none."""
        return cls(int(spend["calls"]), int(spend["duplicate_calls"]), _exact(spend["nano_usd"]))


_NOTHING: Final = Ledger(0, 0, 0)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The gateway's mode, whether its global budget has cut off, and what it has spent."""

    mode: str
    cut_off: bool
    nano_usd: int

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> "BudgetState":
        """Read the answer of `GET /budgets`, whose first budget is the global one."""
        budgets = answer["budgets"]
        first: Mapping[str, Any] = budgets[0] if budgets else _NO_BUDGET
        return cls(
            mode=str(answer["mode"]),
            cut_off=first["cut_off_unix_ms"] is not None,
            nano_usd=_exact(first["spent"]["nano_usd"]),
        )


class Meter:
    """Turns totals into what this run has used: the first reading is the beginning.

    What was used before a total was reset is carried over.
    """

    def __init__(self) -> None:
        self._ledger_base: Ledger | None = None
        self._ledger_last = _NOTHING
        self._ledger_carried = _NOTHING
        self._budget_base: int | None = None
        self._budget_carried = 0
        self._seen_at_s: float | None = None
        self.used: Ledger | None = None
        self.budget: BudgetState | None = None
        self._budget_used = 0

    def read(self, ledger: Ledger | None, budget: BudgetState | None, *, now_s: float) -> None:
        """Take a reading; None stands for a service that did not answer."""
        if ledger is not None:
            self._read_ledger(ledger)
        if budget is not None:
            self._read_budget(budget)
        if ledger is not None or budget is not None or self._seen_at_s is None:
            self._seen_at_s = now_s

    @property
    def sighted(self) -> bool:
        """Whether any service has ever answered."""
        return self.used is not None or self.budget is not None

    @property
    def spent_nano_usd(self) -> int:
        """The run's spend by whichever service counted more."""
        return max(self.used.nano_usd if self.used else 0, self._budget_used)

    def reason_to_stop(self, limit_nano_usd: int | None, *, now_s: float) -> str | None:
        """Say why the run must stop, or None."""
        if limit_nano_usd is None:
            return None
        if self.spent_nano_usd > limit_nano_usd:
            spent, limit = format_usd(self.spent_nano_usd), format_usd(limit_nano_usd)
            return f"spent ${spent}, more than --max-spend-usd {limit}"
        if self._seen_at_s is not None and now_s - self._seen_at_s > BLIND_LIMIT_S:
            return f"neither ledger nor budget answered for {BLIND_LIMIT_S:g} s"
        return None

    def _read_ledger(self, ledger: Ledger) -> None:
        last, base = self._ledger_last, self._ledger_base
        if base is None:
            base = ledger
        elif ledger.calls < last.calls or ledger.nano_usd < last.nano_usd:
            self._ledger_carried = self.used or _NOTHING
            base = _NOTHING
        self._ledger_last, self._ledger_base = ledger, base
        self.used = self._ledger_carried.plus(ledger.minus(base))

    def _read_budget(self, budget: BudgetState) -> None:
        base = self._budget_base
        if base is None:
            base = budget.nano_usd
        # A correction lowers a budget too, but not below what it held before the run.
        elif budget.nano_usd < base:
            self._budget_carried = self._budget_used
            base = 0
        self._budget_base = base
        self._budget_used = self._budget_carried + budget.nano_usd - base
        self.budget = budget


def format_usd(nano_usd: int) -> str:
    """Return dollars with nine decimals, such as `0.014660000`."""
    return f"{nano_usd // _NANO_PER_USD}.{nano_usd % _NANO_PER_USD:09d}"


def _exact(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"money must be a whole number of nano-dollars, got {value!r}")
    return value
