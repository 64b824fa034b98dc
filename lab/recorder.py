"""Records what an arm's services tell, about once a second, into plain lists."""

import threading
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import redis

from lab.clock import now_unix_ms
from lab.evidence import KeyPoll
from lab.feeds import Feed
from lab.stack_config import StackConfig
from lab.state_keys import FIRST_ROW, StateKeys

_PERIOD_S = 1.0
_MOST_POLLS = 100_000


@dataclass(slots=True)
class Recorder:
    """Follows one stack from a thread of its own, for as long as the block lasts."""

    config: StackConfig
    polls: list[KeyPoll] = field(default_factory=list)
    feeds: dict[str, Feed] = field(init=False)
    missing: list[str] = field(default_factory=list)
    _client: httpx.Client = field(init=False)
    _keys: StateKeys = field(init=False)
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        fake, budget, app = (self.config.url(n) for n in ("fake_llm", "budget", "app"))
        self.feeds = {
            feed.name: feed
            for feed in (
                Feed("calls", f"{fake}/calls", "calls"),
                Feed("executions", f"{app}/executions", "executions"),
                Feed("decisions", f"{budget}/decisions", "decisions"),
                Feed("ledger", f"{budget}/ledger", "entries"),
                Feed("workflows", f"{app}/workflows", "workflows", "instance_id"),
            )
        }
        self._client = httpx.Client(timeout=5, trust_env=False)
        self._keys = StateKeys(self.config.ports.state_redis)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(3)
        self._client.close()
        self._keys.close()

    def get(self, url: str) -> Any:
        """Return the JSON of one address.

        Raises:
            httpx.HTTPError: no answer, or a refusal.
        """
        return self._client.get(url).raise_for_status().json()

    def catch_up(self) -> None:
        """Read everything there is, and note what was lost on the way."""
        with self._lock:
            for feed in self.feeds.values():
                try:
                    feed.pull(self._client)
                except (httpx.HTTPError, ValueError) as error:
                    self.missing.append(f"{feed.name}: could not be read: {error!r}")
                if feed.dropped:
                    self.missing.append(f"{feed.name}: {feed.dropped} entries were lost")

    def workflows(self) -> dict[str, dict[str, Any]]:
        """Return the latest entry of each workflow instance."""
        with self._lock:
            return {str(item["instance_id"]): item for item in self.feeds["workflows"].items}

    def executions(self) -> list[dict[str, Any]]:
        """Return all ended executions that were seen so far."""
        with self._lock:
            return self.feeds["executions"].items

    def look_at(self, feed: str) -> None:
        """Read what is new in one feed.

        Raises:
            httpx.HTTPError: no answer, or a refusal.
        """
        with self._lock:
            self.feeds[feed].pull(self._client)

    def look(self) -> None:
        """Look once; what does not answer is asked again the next time."""
        try:
            rows = self._keys.rows()
            poll = KeyPoll(
                t_unix_ms=now_unix_ms(),
                keys={instance: len(found) for instance, found in rows.items()},
                with_first_row=frozenset(i for i, found in rows.items() if FIRST_ROW in found),
            )
            if len(self.polls) < _MOST_POLLS:
                self.polls.append(poll)
        except redis.RedisError:
            self._keys.close()
        with self._lock:
            for feed in self.feeds.values():
                try:
                    feed.pull(self._client)
                except (httpx.HTTPError, ValueError):
                    continue

    def _run(self) -> None:
        while not self._done.is_set():
            self.look()
            self._done.wait(_PERIOD_S)
