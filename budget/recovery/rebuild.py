"""The store's side of a recovery: typed calls of the functions in lua/recovery.lua."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from budget.recovery.entries import for_replay
from budget.recovery.picture import Picture, Report, View
from budget.recovery.records import Record
from budget.scopes import Scope, ScopeKind
from budget.store import library
from budget.store.library import (
    GATEWAYS,
    HOLDS,
    LEDGER,
    LIMITS,
    META,
    RECOVERY,
    STAGED,
    STOPS,
    TRIPS,
    instance_key,
    stop_key,
)
from budget.store.link import RedisLink

REPLAYED_AT_ONCE: Final = 500
STAGED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Beat:
    """What the store answers a gateway that says that it lives.

    Attributes:
        now_unix_ms: By the store's clock.
        oldest: The oldest entry that its ledger keeps; 0 without any.
        view: The gateways with a journal.
    """

    now_unix_ms: int
    oldest: int
    view: View


class Rebuilder:
    """Compares and rebuilds the store's ledger; raises `StoreUnavailableError` without it."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def beat(self, gateway: str, host: str, path: str) -> Beat:
        """Say that a gateway lives."""
        told = json.dumps({"host": host, "path": path})
        row = await library.call(
            self._link, "beat", (META, GATEWAYS, LEDGER, RECOVERY), gateway, told
        )
        oldest, now = int(row[3].partition("-")[0] or 0), int(row[4])
        return Beat(now, oldest, View.of_store(row[5], now))

    async def leave(self, gateway: str) -> None:
        """Say that a gateway ends, and that everything it knows is in the store."""
        await library.call(self._link, "beat", (META, GATEWAYS, LEDGER, RECOVERY), gateway, "")

    async def report(self, gateway: str, report: Report) -> Picture:
        """Say what a gateway knows; return what everybody does."""
        keys = (META, RECOVERY, GATEWAYS)
        reply = await library.call(self._link, "report", keys, gateway, report.to_json())
        return Picture.of_store(reply)

    async def confirm(self, reason: str, actor: str) -> None:
        """Write an operator's decision down."""
        told = json.dumps({"reason": reason, "actor": actor})
        await library.call(self._link, "confirm", (RECOVERY,), told)

    async def stage(self, entries: Iterable[Record]) -> None:
        """Give the store entries that it may be missing, in batches."""
        arguments: list[str | int] = []
        for entry in entries:
            arguments += [entry["seq"], json.dumps(for_replay(entry))]
            if len(arguments) >= 2 * STAGED_AT_ONCE:
                await library.call(self._link, "stage", (META, STAGED), *arguments)
                arguments = []
        if arguments:
            await library.call(self._link, "stage", (META, STAGED), *arguments)

    async def rebuild(self, epoch: str, target: int, *, skips: bool) -> tuple[int, int | None]:
        """Replay staged entries in their order; return the ledger's last.

        And, where the very next one is missing, the lowest one that is staged.
        """
        keys = (META, HOLDS, LEDGER, STAGED, TRIPS, RECOVERY)
        seq, lowest = await library.call(
            self._link, "rebuild", keys, epoch, target, REPLAYED_AT_ONCE, int(skips)
        )
        return int(seq), int(lowest) if lowest else None

    async def finish(
        self, picture: Picture, epoch: str, *, new_epoch: str, trip: tuple[str, str, str]
    ) -> bool:
        """Vouch for the ledger; False when it is not the one meant any more.

        Args:
            picture: What was judged.
            epoch: The ledger that is in the store.
            new_epoch: What it is called from here on; empty when it stays.
            trip: Reason, actor and detail; an empty detail writes none.
        """
        keys, least = (META, RECOVERY, STAGED, TRIPS), picture.seq
        reply = await library.call(
            self._link, "finish", keys, epoch, least, new_epoch, epoch if new_epoch else "", *trip
        )
        return bool(reply)

    async def replay_trips(self, switches: Iterable[Record]) -> int:
        """Stop and resume what was stopped and resumed; return how much of it was lost."""
        lost = 0
        for record in sorted(switches, key=lambda record: record["n"]):
            scope = Scope(ScopeKind(record["scope"]), record["id"])
            keys = (META, TRIPS, instance_key(scope.id), stop_key(scope.id), STOPS, scope.key)
            told = (record[name] for name in ("kind", "scope", "id", "reason", "actor", "detail"))
            lost += await library.call(
                self._link, "replay_trip", keys, record["n"], record["at"], *told
            )
        return lost

    async def restore_rules(self, version: int, rules: dict[str, str]) -> bool:
        """Set the operators' rules again, where the store's are older."""
        pairs = (part for pair in rules.items() for part in pair)
        return bool(
            await library.call(self._link, "restore_rules", (META, LIMITS), version, *pairs)
        )
