"""Reads which workflows still have which rows in the state store; never writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab.stack_config import APP_ID, NAMESPACE

# The first row of a history is written once, so under a component TTL it is the first to expire.
FIRST_ROW = "history-000000"
_SCAN_BATCH = 1000


def key_prefix(app_id: str = APP_ID, namespace: str = NAMESPACE) -> str:
    """Return what every key of a workflow starts with (Dapr's actor state layout)."""
    return f"{app_id}||dapr.internal.{namespace}.{app_id}.workflow||"


def rows_by_instance(keys: Iterable[str], prefix: str) -> dict[str, frozenset[str]]:
    """Group `<prefix><instance>||<row>` keys: instance to the rows that exist."""
    rows: dict[str, set[str]] = {}
    for key in keys:
        if key.startswith(prefix):
            instance, _, row = key[len(prefix) :].rpartition("||")
            rows.setdefault(instance, set()).add(row)
    return {instance: frozenset(found) for instance, found in rows.items()}


@dataclass(slots=True)
class StateKeys:
    """One connection to the state store of a stack."""

    port: int
    prefix: str = field(default_factory=key_prefix)
    _client: redis.Redis | None = None

    def rows(self) -> Mapping[str, frozenset[str]]:
        """Return the rows of every workflow that exists at the moment.

        Raises:
            redis.RedisError: the store does not answer.
        """
        if self._client is None:
            self._client = redis.Redis(
                host="127.0.0.1",
                port=self.port,
                socket_timeout=2,
                decode_responses=True,
                # Whoever looks comes again by itself, with a deadline of its own.
                retry=Retry(NoBackoff(), 0),
            )
        keys = self._client.scan_iter(match=f"{self.prefix}*", count=_SCAN_BATCH)
        return rows_by_instance((str(key) for key in keys), self.prefix)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
