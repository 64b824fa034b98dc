"""The routes of the ledger: its feed, its export, and whether it sums to the counters."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from budget.control.entries import EntryDocument, end_line, entry_document, entry_line
from budget.control.fields import (
    BAD_QUERY,
    DEFAULT_PAGE,
    After,
    Document,
    ErrorDocument,
    Limit,
    error_answer,
    errors,
)
from budget.ledger_sums import LedgerSums
from budget.store.library import id_in
from budget.store.reading import Reading
from budget.verification import Difference, verify
from metering.money import Money, money_json

MOST_LOOKED_AT: Final = 10_000
"""How many entries one request with a filter looks at."""

EXPORT_PAGE: Final = 200
JSONL: Final = "application/x-ndjson"

Event = Annotated[
    Literal["reserve", "dispatch", "settle", "release", "expire"] | None,
    Query(description="Only entries of this event."),
]
OfInstance = Annotated[
    str | None, Query(max_length=1024, description="Only entries of this instance.")
]


class LedgerDocument(Document):
    """A page of the ledger."""

    entries: list[EntryDocument]
    next: int
    dropped: int


class DifferenceDocument(Document):
    """A scope whose counters are not what the ledger sums to, at entry `at_seq`."""

    scope: str
    id: str
    at_seq: int
    counters: dict[Literal["spent", "reserved"], Money]
    ledger: dict[Literal["spent", "reserved"], Money]


class VerificationDocument(Document):
    """Whether the ledger sums to the counters.

    `exact` is null when the ledger no longer reaches back to entry 1 (`complete` is false).
    """

    exact: bool | None
    complete: bool
    first_seq: int
    last_seq: int
    entries: int
    unattributed: int
    scopes_compared: int
    scopes_differing: int
    differences: list[DifferenceDocument]
    advice: str | None


ADVICE: Final = (
    "The bounded ledger no longer reaches back to entry 1. Verify an export that does: "
    "python -m budget.verify --export FILE"
)


def ledger_routes(reading: Reading) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["ledger"])
    is_verifying = asyncio.Lock()

    @router.get("/ledger", responses=errors(_422=BAD_QUERY))
    async def ledger(
        after: After = 0,
        limit: Limit = DEFAULT_PAGE,
        instance: OfInstance = None,
        event: Event = None,
    ) -> LedgerDocument:
        """Every movement of money in the store, oldest first.

        With a filter at most 10,000 entries are looked at: a page may be short, or empty, while
        `next` still moves on.
        """
        return await _filtered(reading, after, limit, instance, event)

    @router.get(
        "/ledger/export",
        response_class=StreamingResponse,
        responses={200: {"content": {JSONL: {}}}, **errors(_422=BAD_QUERY)},
    )
    async def export(after: After = 0) -> Response:
        """Every entry from `after` to the newest one as JSONL.

        The last line is `{"export": {"after", "next", "entries", "dropped"}}`; one that lacks it
        was cut short, and goes on after the last whole entry's `seq`.
        """
        until = await reading.newest_seq()
        return StreamingResponse(_lines(reading, after, until), media_type=JSONL)

    @router.get(
        "/ledger/verify",
        response_model=VerificationDocument,
        responses={
            **errors(),
            429: {"model": ErrorDocument, "description": "`verification_under_way`"},
        },
    )
    async def verification() -> Response:
        """Compare the ledger's sums with the counters of every scope, while calls go on."""
        if is_verifying.locked():
            return error_answer(
                429,
                "This gateway verifies its ledger already: wait for that, or run "
                "python -m budget.verify",
                "verification_under_way",
                [("retry-after", "5")],
            )
        async with is_verifying:
            return JSONResponse((await verification_document(reading)).model_dump(mode="json"))

    return router


async def verification_document(
    reading: Reading, sums: LedgerSums | None = None
) -> VerificationDocument:
    """Verify the ledger, from where `sums` ends."""
    found = await verify(reading, sums)
    return VerificationDocument(
        exact=found.is_exact if found.complete else None,
        complete=found.complete,
        first_seq=found.first_seq,
        last_seq=found.last_seq,
        entries=found.entries,
        unattributed=found.unattributed,
        scopes_compared=found.compared,
        scopes_differing=found.differing,
        differences=[_difference(each) for each in found.differences],
        advice=None if found.complete else ADVICE,
    )


def _difference(found: Difference) -> DifferenceDocument:
    return DifferenceDocument(
        scope=found.key.split(":")[2],
        id=id_in(found.key),
        at_seq=found.at_seq,
        counters={
            "spent": money_json(found.counters.spent),
            "reserved": money_json(found.counters.reserved),
        },
        ledger={
            "spent": money_json(found.ledger.spent),
            "reserved": money_json(found.ledger.reserved),
        },
    )


async def _filtered(
    reading: Reading, after: int, limit: int, instance: str | None, event: str | None
) -> LedgerDocument:
    kept: list[EntryDocument] = []
    dropped = looked_at = 0
    is_filtered = instance is not None or event is not None
    while True:
        page = await reading.ledger(after, limit)
        dropped += page.dropped
        kept += [
            entry_document(entry)
            for entry in page.entries
            if instance in {None, entry.instance} and event in {None, entry.event}
        ]
        looked_at += len(page.entries)
        after = page.next_seq
        if len(kept) >= limit:
            kept = kept[:limit]
            after = kept[-1].seq
            break
        if not is_filtered or len(page.entries) < limit or looked_at >= MOST_LOOKED_AT:
            break
    return LedgerDocument(entries=kept, next=after, dropped=dropped)


async def _lines(reading: Reading, after: int, until: int) -> AsyncIterator[bytes]:
    begun_after, entries, dropped = after, 0, 0
    while after < until:
        page = await reading.ledger(after, min(EXPORT_PAGE, until - after))
        rows = [entry for entry in page.entries if entry.seq <= until]
        if not rows:
            dropped += until - after
            after = until
            break
        dropped += page.dropped
        entries += len(rows)
        after = rows[-1].seq
        yield b"".join(map(entry_line, rows))
    yield end_line(after=begun_after, next=after, entries=entries, dropped=dropped)
