"""What a journal says, in short: the ledger, which entries are there, who else there is. No I/O."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from budget.recovery.entries import ENTRY
from budget.recovery.records import Record

HEAD: Final = "head"
LEDGER: Final = "ledger"
PEERS: Final = "peers"
SWITCH: Final = "switch"
RULES: Final = "rules"
MOST_SWITCHES: Final = 20_000


@dataclass(slots=True)
class Coverage:
    """Which entries of a ledger are in a journal.

    Attributes:
        upto: Every entry up to here is, but for those that the ledger no longer had.
        beyond: Others.
    """

    upto: int = 0
    beyond: set[int] = field(default_factory=set)

    @property
    def last(self) -> int:
        """The greatest entry."""
        return max(self.beyond, default=self.upto)

    def add(self, seq: int) -> None:
        """Add one."""
        if seq > self.upto:
            self.beyond.add(seq)
            self._close_up()

    def skip_to(self, upto: int) -> None:
        """Take it that entries up to here are nowhere else to be had."""
        self.upto = max(self.upto, upto)
        self.beyond = {seq for seq in self.beyond if seq > self.upto}
        self._close_up()

    def __contains__(self, seq: int) -> bool:
        return seq <= self.upto or seq in self.beyond

    def _close_up(self) -> None:
        while self.upto + 1 in self.beyond:
            self.upto += 1
            self.beyond.remove(self.upto)


@dataclass(slots=True)
class Memory:
    """What the records of a journal add up to.

    Attributes:
        epoch: The ledger that the entries belong to; empty while none is known.
        coverage: Which of its entries are there.
        view: The gateways with a journal as Redis last listed them: {"at": unix ms, "peers":
            {id: {"host", "path", "seen"}}}.
        trip: The last trip that was seen.
        switches: Of each scope the last kill, resume, zombie or velocity trip.
        rules_version: Of `rules`.
        rules: What the operators set: the fields of the store's hash.
    """

    epoch: str = ""
    coverage: Coverage = field(default_factory=Coverage)
    view: dict[str, Any] = field(default_factory=lambda: {"at": 0, "peers": {}})
    trip: int = 0
    switches: OrderedDict[tuple[str, str], Record] = field(default_factory=OrderedDict)
    rules_version: int = 0
    rules: dict[str, str] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add one record."""
        match record["k"]:
            case "e":
                self.coverage.add(record["seq"])
            case "ledger":
                self._change_ledger(record)
            case "peers":
                self.view = record["view"]
            case "switch":
                self._switch(record)
            case "rules":
                self.rules_version, self.rules = record["version"], record["rules"]
            case "head":
                self._begin(record)

    def head(self) -> Record:
        """Return all of this as the record that a new segment begins with."""
        return {
            "k": HEAD,
            "epoch": self.epoch,
            "upto": self.coverage.upto,
            "beyond": sorted(self.coverage.beyond),
            "last": self.coverage.last,
            "view": self.view,
            "trip": self.trip,
            "switches": list(self.switches.values()),
            "version": self.rules_version,
            "rules": self.rules,
        }

    def _begin(self, head: Record) -> None:
        self.epoch = head["epoch"]
        self.coverage = Coverage(head["upto"], set(head["beyond"]))
        self.view, self.trip = head["view"], head["trip"]
        self.rules_version, self.rules = head["version"], head["rules"]
        self.switches.clear()
        for switch in head["switches"]:
            self._switch(switch)

    def _change_ledger(self, record: Record) -> None:
        """Go on with another ledger; one that continues the old one keeps its entries."""
        self.epoch = record["epoch"]
        if record["continues"]:
            self.coverage.skip_to(record["upto"])
        else:
            self.coverage, self.trip, self.rules_version, self.rules = Coverage(), 0, 0, {}
            self.switches.clear()

    def _switch(self, record: Record) -> None:
        self.trip = max(self.trip, record["n"])
        key = (record["scope"], record["id"])
        self.switches[key] = record
        self.switches.move_to_end(key)
        if len(self.switches) > MOST_SWITCHES:
            self.switches.popitem(last=False)


__all__ = ["ENTRY", "HEAD", "LEDGER", "PEERS", "RULES", "SWITCH", "Coverage", "Memory"]
