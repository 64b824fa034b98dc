"""What the store holds and what every journal says, as the store answers a report. Pure."""

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

    def ledger_of(self, report: Report) -> str:
        """Return a report's ledger; by its name in the store when that goes on from it."""
        is_continued = report.epoch == self.continues and report.last <= self.continues_at
        return self.epoch if is_continued and report.epoch else report.epoch

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
