"""The rows of a workflow in Redis: what is in them, and what is said of it when they expire."""

import json
import time
from typing import Any

from google.protobuf.json_format import MessageToDict

from sidecar.protos import HistoryEvent
from tests.conformance.bench import Bench, until
from tests.conformance.compare.executions import tasks
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import changes, decisions, turns
from tests.conformance.compare.notes import looks, most, note
from tests.conformance.exchange import RECORDINGS, Exchange
from tests.conformance.needs import Need
from tests.conformance.scenarios.calls import finish, get, start
from tests.conformance.scenarios.scenario import Played, Scenario
from tests.sidecar import traces

_MOMENTS = ("running", "event raised", "completed", "purged", "waiting")
_TTL_S = 4
_LOOK_S = 0.5
_SETTLED_S = 0.7
_TURN_S = 0.1


def redis_keys(bench: Bench) -> Played:
    """Look at the rows of a workflow in each phase of its life."""
    notes: dict[str, Any] = {}
    start(bench, "seq", "keys-1", {"steps": 3, "sleep": 1.5})
    until(lambda: len(bench.executions("keys-1")) > 1)
    bench.order("keys-1", hold=True)
    time.sleep(_SETTLED_S)
    notes["running"] = rows(bench, "keys-1")
    bench.client.raise_workflow_event("keys-1", "early", data=1)
    until(lambda: "history-000007" in bench.keys("keys-1"))
    time.sleep(_SETTLED_S)
    notes["event raised"] = rows(bench, "keys-1")
    bench.order("keys-1")
    finish(bench, "keys-1")
    time.sleep(_SETTLED_S)
    notes["completed"] = rows(bench, "keys-1")
    bench.client.purge_workflow("keys-1")
    notes["purged"] = rows(bench, "keys-1")
    start(bench, "ext", "keys-1b")
    time.sleep(_SETTLED_S)
    notes["waiting"] = rows(bench, "keys-1b")
    return Played(notes=notes)


def ttl_live_sidecar(bench: Bench) -> Played:
    """Let the rows of a running workflow expire while its sidecar lives."""
    bench.set_ttl(_TTL_S)
    bench.connected()
    looked: list[list[str]] = []
    ttls: list[int] = []
    try:
        start(bench, "seq", "ttl-live", {"steps": 2, "sleep": 8})
        while len(bench.executions("ttl-live")) < 2:  # until the second begins
            looked.append(settled(bench, "ttl-live"))
            ttls.append(_ttls(bench, "ttl-live", looked[-1]))
            get(bench, "ttl-live")
            time.sleep(_LOOK_S)
        looked.append(settled(bench, "ttl-live"))
        get(bench, "ttl-live")
        until(lambda: len(bench.executions("ttl-live", "end")) > 1)
        time.sleep(_LOOK_S)
        get(bench, "ttl-live")
    finally:
        bench.set_ttl(-1)
    return Played(notes={"rows": looked, "ttls": ttls})


def settled(bench: Bench, instance: str) -> list[str]:
    """Return the names of an instance's rows, as they are between two turns."""
    while (found := bench.keys(instance)) != _again(bench, instance):
        pass
    return found


def _ttls(bench: Bench, instance: str, rows: list[str]) -> int:
    """Return 0 without rows, 1 when all live equally long and no longer than they may, else 2.

    Rows of one write can be read a moment before and after a second has passed.
    """
    found: list[Any] = [bench.redis.ttl(bench.key(instance, row)) for row in rows]
    return 0 if not found else 1 if max(found) - min(found) <= 1 and max(found) <= _TTL_S else 2


def _again(bench: Bench, instance: str) -> list[str]:
    time.sleep(_TURN_S)
    return bench.keys(instance)


def rows(bench: Bench, instance: str) -> dict[str, Any]:
    """Return type, TTL, fields, count of writes and content of each row."""
    return {row: _row(bench, bench.key(instance, row), row) for row in bench.keys(instance)}


def _row(bench: Bench, key: str, row: str) -> dict[str, Any]:
    fields: Any = bench.redis.hgetall(key)
    kind: Any = bench.redis.type(key)
    data: bytes = fields.get(b"data", b"")
    return _plain(
        {
            "type": kind.decode(),
            "ttl_s": bench.redis.ttl(key),
            "fields": sorted(each.decode() for each in fields),
            "version": int(fields.get(b"version", b"0")),
            **({"event": _event(data)} if row.startswith("history-") else {"data_hex": data.hex()}),
        }
    )


def _event(data: bytes) -> Any:
    return MessageToDict(HistoryEvent.FromString(data), preserving_proto_field_name=True)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = traces.plain({**row, "fields": sorted(row["fields"])})
    return plain


def _recorded() -> dict[str, Exchange]:
    tables = json.loads((RECORDINGS / "redis-keys.json").read_text())
    return {
        version: Exchange(
            notes={
                moment: {row: _plain(each) for row, each in found.items()}
                for moment, found in moments.items()
            }
        )
        for version, moments in tables.items()
    }


SCENARIOS = (
    Scenario(
        name="redis_keys",
        play=redis_keys,
        facets=tuple(note(each) for each in _MOMENTS),
        instances=("keys-1", "keys-1b"),
        needs=frozenset({Need.REDIS}),
        tables=_recorded(),
    ),
    Scenario(
        name="ttl_live_sidecar",
        play=ttl_live_sidecar,
        facets=(
            *(turns("ttl-live"), decisions("ttl-live"), changes("ttl-live", "GetInstance")),
            *(tasks("ttl-live"), looks("rows"), most("ttls"), logged("ttl-live")),
        ),
        instances=("ttl-live",),
        needs=frozenset({Need.REDIS, Need.TTL}),
        alone=True,
    ),
)
