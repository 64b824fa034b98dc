"""Follows the services' bounded feeds by cursor, so that nothing is lost between two looks."""

from dataclasses import dataclass, field
from typing import Any

import httpx

PAGE = 1000
MOST_ITEMS = 2_000_000
_MOST_PAGES = 1000


@dataclass(slots=True)
class Feed:
    """One feed and everything it has given so far.

    Attributes:
        items_key: name of the list in the answer.
        latest_by: field of which only the latest entry is kept for each value; None keeps all.
        dropped: entries that the service no longer had when it was asked, or that were too many.
    """

    name: str
    url: str
    items_key: str
    latest_by: str | None = None
    cursor: int = 0
    dropped: int = 0
    _items: dict[object, dict[str, Any]] = field(default_factory=dict)

    @property
    def items(self) -> list[dict[str, Any]]:
        """Return the entries, oldest first."""
        return list(self._items.values())

    def pull(self, client: httpx.Client) -> None:
        """Read all that is new.

        Raises:
            httpx.HTTPError: the service did not answer, or refused.
        """
        for _ in range(_MOST_PAGES):
            answer = client.get(self.url, params={"after": self.cursor, "limit": PAGE})
            body = answer.raise_for_status().json()
            fresh = body[self.items_key]
            for item in fresh:
                self._keep(item)
            self.dropped += int(body["dropped"])
            self.cursor = int(body["next"])
            if not fresh:
                break

    def _keep(self, item: dict[str, Any]) -> None:
        key = item["seq"] if self.latest_by is None else item[self.latest_by]
        if key in self._items or len(self._items) < MOST_ITEMS:
            self._items[key] = item
        else:
            self.dropped += 1
