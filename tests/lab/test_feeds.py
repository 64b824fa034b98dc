import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from lab.feeds import Feed

Entries = list[dict[str, Any]]


@contextmanager
def serving(entries: Entries, *, oldest: int = 1) -> Iterator[str]:
    """Serve a feed of `entries` from sequence number `oldest` on, two a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            after = int(parse_qs(urlsplit(self.path).query)["after"][0])
            page = [e for e in entries if e["seq"] > after and e["seq"] >= oldest][:2]
            body = {
                "things": page,
                "next": page[-1]["seq"] if page else max(after, oldest - 1),
                "dropped": max(0, oldest - 1 - after),
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/things"
        finally:
            server.shutdown()
            thread.join()


def test_a_feed_is_read_to_its_end_and_followed_from_there() -> None:
    """Every page is read, and the next look gives only what is new."""
    entries = [{"seq": n} for n in range(1, 6)]
    with serving(entries) as url, httpx.Client(trust_env=False) as client:
        feed = Feed("things", url, "things")
        feed.pull(client)
        assert [item["seq"] for item in feed.items] == [1, 2, 3, 4, 5]
        entries.append({"seq": 6})
        feed.pull(client)
    assert [item["seq"] for item in feed.items] == [1, 2, 3, 4, 5, 6]
    assert feed.dropped == 0


def test_what_a_service_no_longer_has_is_counted_once() -> None:
    """Entries that fell out of the service's buffer are known to be missing."""
    with serving([{"seq": n} for n in range(1, 6)], oldest=4) as url:
        feed = Feed("things", url, "things")
        with httpx.Client(trust_env=False) as client:
            feed.pull(client)
            feed.pull(client)
    assert (len(feed.items), feed.dropped) == (2, 3)


def test_cursors_may_begin_anywhere() -> None:
    """A feed whose cursors begin at its process's start, in microseconds, lost nothing by that."""
    began = 1_800_000_000_000 * 1000
    entries = [{"seq": began + n} for n in range(1, 6)]
    with serving(entries, oldest=1) as url, httpx.Client(trust_env=False) as client:
        feed = Feed("things", url, "things")
        feed.pull(client)
        entries.append({"seq": began + 2_000_000})
        feed.pull(client)
    assert [item["seq"] - began for item in feed.items] == [1, 2, 3, 4, 5, 2_000_000]
    assert feed.dropped == 0


def test_a_compacting_feed_keeps_the_latest_of_each() -> None:
    """With `latest_by` an instance stands in it once, as it was last seen."""
    entries = [{"seq": 1, "id": "a"}, {"seq": 2, "id": "b"}, {"seq": 3, "id": "a"}]
    with serving(entries) as url, httpx.Client(trust_env=False) as client:
        feed = Feed("things", url, "things", "id")
        feed.pull(client)
    assert {item["id"]: item["seq"] for item in feed.items} == {"a": 3, "b": 2}
