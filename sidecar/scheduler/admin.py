"""HTTP for people and probes: `/healthz`, `/metrics`, and `/admin/jobs`, the jobs' clocks."""

from datetime import UTC, datetime

from aiohttp import web

from sidecar.exposition import CONTENT_TYPE
from sidecar.scheduler.board import Entry
from sidecar.scheduler.dispatcher import Dispatcher

_DEFAULT_LIMIT = 100
_LONGEST_LIMIT = 10_000


def admin_app(dispatcher: Dispatcher) -> web.Application:
    """Return the application; it never changes a job."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "profile": dispatcher.profile.name})

    async def jobs(request: web.Request) -> web.Response:
        limit = _limit(request.query.get("limit"))
        if limit is None:
            message = f"limit must be a number from 1 to {_LONGEST_LIMIT}"
            body = {"error": {"message": message, "type": "invalid_request", "code": "bad_limit"}}
            return web.json_response(body, status=400)
        found = dispatcher.search(request.query.get("prefix", ""))
        shown = [_shown(each) for each in found[:limit]]
        return web.json_response({"jobs": shown, "total": len(found)})

    async def metrics(_request: web.Request) -> web.Response:
        body = dispatcher.metrics.text().encode()
        return web.Response(body=body, headers={"content-type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/admin/jobs", jobs)
    return app


def _limit(text: str | None) -> int | None:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LONGEST_LIMIT))):
        return None
    limit = int(text)
    return limit if 1 <= limit <= _LONGEST_LIMIT else None


def _shown(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.job.key,
        "state": entry.place.name.lower(),
        "due": _iso(entry.job.due_us),
        "next": _iso(entry.clock.next_us),
        "failed_deliveries": entry.clock.attempts,
        "data_type": entry.job.spec.data.type_url,
        "data_bytes": len(entry.job.spec.data.value),
    }


def _iso(unix_us: int) -> str | None:
    try:
        return datetime.fromtimestamp(unix_us // 1_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
