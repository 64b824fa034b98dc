"""Whether a ledger is whole, judged from what the store holds and what every journal says. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LEASE_MS: Final = 60_000
"""A gateway that was last seen so long before the others wrote nothing that they don't know of."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway with a journal.

    Attributes:
        gateway: Its id.
        host: Where it ran.
        path: Its journal's folder there.
        seen_unix_ms: When it last said that it lives, by the store's clock.
    """

    gateway: str
    host: str
    path: str
    seen_unix_ms: int

    def __str__(self) -> str:
        return f"{self.gateway} (host {self.host}, {self.path})"


@dataclass(frozen=True, slots=True)
class View:
    """The gateways as the store listed them at a moment."""

    at_unix_ms: int
    peers: Mapping[str, Peer]

    def live(self) -> list[Peer]:
        """Return those that may have written shortly before."""
        return [p for p in self.peers.values() if p.seen_unix_ms >= self.at_unix_ms - LEASE_MS]

    def to_json(self) -> dict[str, Any]:
        """Return it as journals and reports hold it."""
        peers = {
            peer.gateway: {"host": peer.host, "path": peer.path, "seen": peer.seen_unix_ms}
            for peer in self.peers.values()
        }
        return {"at": self.at_unix_ms, "peers": peers}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "View":
        """Read it."""
        peers = {
            name: Peer(name, peer["host"], peer["path"], peer["seen"])
            for name, peer in value["peers"].items()
        }
        return cls(value["at"], peers)

    @classmethod
    def of_store(cls, row: Sequence[str], at_unix_ms: int | None = None) -> "View":
        """Read the store's hash; its moment is the last sign of life when none is given."""
        fields = dict(zip(row[::2], row[1::2], strict=True))
        peers = {}
        for name, value in fields.items():
            if ":" not in name:
                told = json.loads(value)
                seen = int(fields.get(f"seen:{name}", 0))
                peers[name] = Peer(name, told["host"], told["path"], seen)
        last = max((peer.seen_unix_ms for peer in peers.values()), default=0)
        return cls(last if at_unix_ms is None else at_unix_ms, peers)


@dataclass(frozen=True, slots=True)
class Report:
    """What one gateway knows.

    Attributes:
        epoch: Its ledger; empty when it knows none.
        last: The greatest entry that it knows of.
        staged: Its journal's next entries after this one are staged; -1 when none are.
        view: The gateways as it saw them last.
    """

    epoch: str
    last: int
    staged: int
    view: View

    def to_json(self) -> str:
        """Return it as the store holds it."""
        return json.dumps(
            {
                "epoch": self.epoch,
                "last": self.last,
                "staged": self.staged,
                "view": self.view.to_json(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read it."""
        told = json.loads(text)
        view = View.from_json(told["view"])
        return cls(told["epoch"], told["last"], told["staged"], view)


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that a decision is made of.

    Attributes:
        epoch: The store's ledger; empty when it has none.
        seq: Its last entry.
        is_fenced: Nobody vouched for it since the server started, or it is behind itself.
        continues: The ledger that it goes on from, by an operator's decision.
        continues_at: That one's last entry.
        view: The gateways as the store lists them.
        reports: Of each gateway that was heard.
        confirmed: The operator's words; None without any.
        first: The first entry that was replayed; 0 when none was.
        gaps: What was gone over, by an operator's decision.
    """

    epoch: str
    seq: int
    is_fenced: bool
    continues: str
    continues_at: int
    view: View
    reports: Mapping[str, Report] = field(default_factory=dict)
    confirmed: Mapping[str, str] | None = None
    first: int = 0
    gaps: str = ""

    @classmethod
    def of_store(cls, reply: Sequence[Any]) -> "Picture":
        """Read the store's answer to a report."""
        epoch, seq, is_fenced, continues, continues_at, gateways, comparison = reply
        fields = dict(zip(comparison[::2], comparison[1::2], strict=True))
        reports = {
            name.removeprefix("report:"): Report.from_json(text)
            for name, text in fields.items()
            if name.startswith("report:")
        }
        confirmed = json.loads(fields["confirmed"]) if "confirmed" in fields else None
        return cls(
            epoch,
            int(seq),
            is_fenced == "1",
            continues,
            int(continues_at),
            View.of_store(gateways),
            reports,
            confirmed,
            int(fields.get("first", 0)),
            fields.get("gaps", ""),
        )

    @property
    def missing(self) -> list[Peer]:
        """The gateways that wrote lately and were not heard, by the latest list of them."""
        views = [self.view, *(report.view for report in self.reports.values())]
        latest = max(views, key=lambda view: view.at_unix_ms)
        return [peer for peer in latest.live() if peer.gateway not in self.reports]

    @property
    def last(self) -> int:
        """The greatest entry that any journal knows of."""
        return max((report.last for report in self.reports.values()), default=0)


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
    missing = picture.missing
    if missing and picture.confirmed is None:
        names = ", ".join(map(str, missing))
        return Wait(
            f"the journals of these gateways were not heard: {names}; start them, or {CONFIRM}"
        )
    epochs = {report.epoch for report in picture.reports.values()} - {""}
    if picture.confirmed is None and len(epochs) > 1:
        return Wait(
            f"the journals are of different ledgers ({', '.join(sorted(epochs))}): move those that "
            "don't belong to this Redis away"
        )
    epoch = own.epoch or next(iter(sorted(epochs)), "")
    if not epoch:
        return _vouch(picture)
    if picture.epoch not in {"", epoch}:
        return _judge_other(picture, epoch)
    if picture.epoch == epoch and picture.seq >= picture.last:
        return _vouch(picture)
    return Rebuild(
        epoch, picture.last, skips=_all_staged(picture) and picture.confirmed is not None
    )


def judge_stuck(picture: Picture, lowest_staged: int | None) -> Wait:
    """Say why a rebuild does not go on."""
    late = [name for name, report in picture.reports.items() if report.staged != picture.seq]
    if late:
        return Wait(
            f"{progress(picture)}; the journals of {', '.join(sorted(late))} are being read"
        )
    until = picture.last if lowest_staged is None else lowest_staged - 1
    heard = ", ".join(sorted(picture.reports))
    return Wait(
        f"entries {picture.seq + 1}..{until} are in no journal of the gateways that were heard "
        f"({heard}): bring the missing journal back, or restore Redis; {CONFIRM}"
    )


def progress(picture: Picture) -> str:
    """Say how far a rebuild is."""
    return (
        f"the ledger is rebuilt from the journals: it is at entry {picture.seq} of {picture.last}"
    )


def _join(picture: Picture, own: Report) -> Step:
    if own.epoch in {"", picture.epoch} and picture.seq >= own.last:
        return Adopt()
    if own.epoch == picture.continues and picture.continues_at >= own.last:
        return Adopt()
    return Wait(
        f"Redis went on as ledger {picture.epoch} at entry {picture.seq}, but this gateway's journal "
        f"is of ledger {own.epoch} at entry {own.last}, which was given up or is another Redis's: "
        "set BUDGET_REDIS_URL right, or move the journal's folder away"
    )


def _judge_other(picture: Picture, epoch: str) -> Step:
    if picture.confirmed is not None:
        return Vouch(f"ledger {epoch} at entry {picture.last} was given up for the one in Redis")
    return Wait(
        f"Redis holds ledger {picture.epoch}, the journals are of ledger {epoch} at entry "
        f"{picture.last}: set BUDGET_REDIS_URL right; or empty that database, and it is rebuilt "
        'from the journals; or POST /recovery/confirm {"reason", "actor"} goes on with what it holds'
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
