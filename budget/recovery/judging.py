"""Whether a ledger is whole, and what a gateway does next about it. Pure."""

from dataclasses import dataclass
from typing import Final

from budget.recovery.picture import Picture, Report


@dataclass(frozen=True, slots=True)
class Adopt:
    """Somebody has vouched for the ledger, which may be another one than before."""


@dataclass(frozen=True, slots=True)
class Vouch:
    """The ledger is as whole as it gets: say so.

    Attributes:
        given_up: What an operator decided to go on without; empty when nothing is missing.
        begins: What is given up may have been spent: a journal that comes back later is of another
            ledger then.
    """

    given_up: str = ""
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Entries are missing in the store.

    Attributes:
        epoch: The ledger.
        target: The last entry to get to.
        skips: What no journal has is gone over.
    """

    epoch: str
    target: int
    skips: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else is to act; the reason says who."""

    reason: str


Step = Adopt | Vouch | Rebuild | Wait

CONFIRM: Final = (
    'if they are lost for good, POST /recovery/confirm {"reason", "actor"} goes on without them'
)


def judge(picture: Picture, own: Report) -> Step:
    """Decide what a gateway does next about the store's ledger."""
    if not picture.is_fenced and picture.epoch:
        return _join(picture, own)
    epochs = sorted({picture.ledger_of(report) for report in picture.reports.values()} - {""})
    unheard = _unheard(picture, epochs)
    if unheard is not None:
        return unheard
    epoch = epochs[0] if epochs else picture.epoch
    if picture.epoch not in {"", epoch}:
        return _judge_other(picture, epoch)
    if picture.epoch == epoch and picture.seq >= picture.last:
        return _vouch(picture)
    skips = picture.confirmed is not None and _all_staged(picture)
    return Rebuild(epoch, picture.last, skips=skips)


def judge_stuck(picture: Picture, lowest_staged: int | None) -> Wait:
    """Say why a rebuild does not go on."""
    late = [name for name, report in picture.reports.items() if report.staged != picture.seq]
    if late:
        return Wait(
            f"{_progress(picture)}; the journals of {', '.join(sorted(late))} are being read"
        )
    until = picture.last if lowest_staged is None else lowest_staged - 1
    gap = f"{picture.seq + 1}..{max(until, picture.seq + 1)}"
    heard = ", ".join(sorted(picture.reports))
    return Wait(
        f"entries {gap} are in no journal of the gateways that were heard ({heard}): bring the "
        f"missing journal back, or restore Redis; {CONFIRM}"
    )


def _progress(picture: Picture) -> str:
    return (
        f"the ledger is rebuilt from the journals: it is at entry {picture.seq} of {picture.last}"
    )


def _unheard(picture: Picture, epochs: list[str]) -> Wait | None:
    if picture.missing and picture.confirmed is None:
        names = ", ".join(map(str, picture.missing))
        return Wait(
            f"the journals of these gateways were not heard: {names}; start them, or {CONFIRM}"
        )
    if len(epochs) > 1:
        return Wait(
            f"the journals are of different ledgers ({', '.join(epochs)}): move those that don't "
            "belong to this Redis away"
        )
    return None


def _join(picture: Picture, own: Report) -> Step:
    if own.epoch in {"", picture.epoch} and picture.seq >= own.last:
        return Adopt()
    if own.epoch == picture.continues and picture.continues_at >= own.last:
        return Adopt()
    return Wait(
        f"Redis went on as ledger {picture.epoch} at entry {picture.seq}, but this gateway's "
        f"journal is of ledger {own.epoch} at entry {own.last}, which was given up or is another "
        "Redis's: set BUDGET_REDIS_URL right, or move the journal's folder away"
    )


def _judge_other(picture: Picture, epoch: str) -> Step:
    if picture.confirmed is not None:
        return Vouch(f"ledger {epoch} at entry {picture.last} was given up for the one in Redis")
    return Wait(
        f"Redis holds ledger {picture.epoch}, the journals are of ledger {epoch} at entry "
        f"{picture.last}: set BUDGET_REDIS_URL right; or empty that database, and it is rebuilt "
        'from the journals; or POST /recovery/confirm {"reason", "actor"} goes on with what it '
        "holds"
    )


def _all_staged(picture: Picture) -> bool:
    return all(report.staged == picture.seq for report in picture.reports.values())


def _vouch(picture: Picture) -> Vouch:
    given_up = []
    if picture.gaps:
        given_up.append(f"entries {picture.gaps} are in no journal that was heard")
    if picture.missing:
        names = ", ".join(map(str, picture.missing))
        given_up.append(f"the journals of {names} were not heard")
    return Vouch("; ".join(given_up), begins=bool(given_up))
