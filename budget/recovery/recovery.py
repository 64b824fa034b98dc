"""Brings gateway and ledger together: compares, rebuilds, vouches, or says who must act."""

import socket
import time
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

import structlog

from budget.recovery.errors import RecoveringError
from budget.recovery.journal import Journal
from budget.recovery.judging import Adopt, Rebuild, Vouch, Wait, judge, judge_stuck
from budget.recovery.picture import Picture, Report, View
from budget.recovery.rebuild import Rebuilder
from budget.store.library import META
from budget.store.link import RedisLink

log = structlog.get_logger(__name__)

WINDOW: Final = 20_000
"""How many entries of a journal are staged at once: what bounds the memory of gateway and store."""

STAGE_AGAIN_S: Final = 10.0
"""When a journal is read again for a rebuild that does not go on."""

PATIENCE_S: Final = 3.0
"""How long an operator's decision waits for a gateway that was heard and does not go on."""


@dataclass(frozen=True, slots=True)
class Known:
    """A ledger that somebody has vouched for."""

    epoch: str
    seq: int


class Recovery:
    """Compares the ledger until it is whole.

    Args:
        link: The store.
        journal: This gateway's.

    Attributes:
        view: The gateways with a journal as the store listed them last.
        reason: Why no money moves; None when it may.
    """

    def __init__(self, link: RedisLink, journal: Journal) -> None:
        self.journal = journal
        self.view = View.from_json(journal.memory.view)
        self.rebuilder = Rebuilder(link)
        self.reason: str | None = "the ledger was not compared yet"
        self.host = socket.gethostname()
        self._link = link
        self._progress = (-1, 0.0)
        self._staged = range(0)
        self._staged_s = 0.0

    @property
    def gateway(self) -> str:
        """This gateway's id."""
        return self.journal.disk.gateway

    async def settle(self, last: int) -> Known:
        """Return the ledger once it is whole; rebuild it, as far as it is for this gateway to do.

        Args:
            last: The greatest entry that this gateway knows of.

        Raises:
            RecoveringError: It is not; the message says who must act. To be tried again.
            StoreUnavailableError: No answer.
            JournalError: The journal can't be written.
        """
        await self.journal.write(())
        if time.monotonic() - self._staged_s > STAGE_AGAIN_S:
            self._staged = range(0)
        self._staged_s = 0.0
        staged = -1
        while True:
            await self._restore_orders()
            own = self._report(last, staged)
            picture = await self.rebuilder.report(self.gateway, own)
            step = judge(picture, own)
            if isinstance(step, Wait):
                self._wait(step)
            elif isinstance(step, Rebuild):
                staged = await self._rebuild(picture, step, staged)
            elif isinstance(step, Adopt) or await self._vouch(picture, step):
                await self._adopt(picture)
                self.reason = None
                return Known(picture.epoch, picture.seq)

    def _report(self, last: int, staged: int) -> Report:
        memory = self.journal.memory
        return Report(memory.epoch, max(last, memory.coverage.last), staged, self.view)

    def _wait(self, step: Wait) -> None:
        self.reason = step.reason
        raise RecoveringError(f"recovering: {step.reason}")

    async def _rebuild(self, picture: Picture, step: Rebuild, staged: int) -> int:
        """Stage what this journal has next, and replay; return after which entry it is staged."""
        base = picture.seq if picture.epoch else 0
        if base not in self._staged:
            self._staged = range(base, min(base + WINDOW, step.target))
            self._staged_s = time.monotonic()
            entries = await self.journal.entries(base, self._staged.stop)
            await self.rebuilder.stage(entries[seq] for seq in sorted(entries))
        skips = step.skips or (picture.confirmed is not None and self._is_stuck(base))
        seq, lowest = await self.rebuilder.rebuild(step.epoch, step.target, skips=skips)
        if seq == base and seq < step.target and staged == base:
            self._is_stuck(base)
            self._wait(judge_stuck(picture, lowest))
        return base if seq == base else -1

    def _is_stuck(self, seq: int) -> bool:
        """Whether a rebuild has not moved from here for a while."""
        if self._progress[0] != seq:
            self._progress = (seq, time.monotonic())
        return time.monotonic() - self._progress[1] > PATIENCE_S

    async def _restore_orders(self) -> None:
        """Give the store the kills, resumes and rules that it lost."""
        memory = self.journal.memory
        epoch, trips, version = await self._link.send(
            "HMGET", META, "epoch", "trips", "limits_version"
        )
        if not memory.epoch or epoch not in {None, memory.epoch}:
            return
        lost = [each for each in memory.switches.values() if each["n"] > int(trips or 0)]
        if lost and await self.rebuilder.replay_trips(lost):
            log.warning("stops_restored", trips=len(lost))
        if memory.rules_version > int(version or 0) and await self.rebuilder.restore_rules(
            memory.rules_version, memory.rules
        ):
            log.warning("rules_restored", version=memory.rules_version)

    async def _vouch(self, picture: Picture, step: Vouch) -> bool:
        """Vouch for the ledger; False when it is to be looked at again, under its new name too."""
        epoch = picture.epoch
        if not epoch:
            return True
        words = picture.confirmed or {"reason": "Redis lost entries", "actor": "gateway"}
        detail = []
        if picture.first:
            detail.append(f"entries {picture.first}..{picture.seq} were rebuilt from journals")
        if step.given_up:
            detail.append(step.given_up)
        trip = (words["reason"], words["actor"], "; ".join(detail))
        new_epoch = f"{epoch}+{token_hex(4)}" if step.begins else ""
        log.warning("ledger_vouched_for", epoch=epoch, seq=picture.seq, detail=trip[2])
        if not await self.rebuilder.finish(picture, epoch, new_epoch=new_epoch, trip=trip):
            return False
        return not new_epoch

    async def _adopt(self, picture: Picture) -> None:
        """Write down which ledger the journal's next entries are of."""
        epoch, own = picture.epoch, self.journal.memory.epoch
        if epoch and epoch != own:
            continues = bool(own) and epoch.startswith(f"{own}+")
            upto = picture.continues_at if continues else 0
            await self.journal.change_ledger(epoch, continues=continues, upto=upto)
            log.warning("journal_of_another_ledger", epoch=epoch, was=own)
