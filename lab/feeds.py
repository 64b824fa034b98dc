"""Follows the services' bounded feeds by cursor, so that nothing is lost between two looks."""

from dataclasses import dataclass, field
from typing import Any

import httpx

PAGE = 1000
_MOST_PAGES = 1000


@dataclass(slots=True)
class Feed:
    """One feed and everything it has given so far.

    Attributes:
        items_key: name of the list in the answer.
        dropped: entries that the service no longer had when it was asked.
    """

    name: str
    url: str
    items_key: str
    cursor: int = 0
    dropped: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)

    def pull(self, client: httpx.Client) -> int:
        """Read all that is new; return how many entries that were.

        Raises:
            httpx.HTTPError: the service did not answer, or refused.
        """
        before = len(self.items)
        for _ in range(_MOST_PAGES):
            answer = client.get(self.url, params={"after": self.cursor, "limit": PAGE})
            body = answer.raise_for_status().json()
            fresh = body[self.items_key]
            self.items.extend(fresh)
            self.dropped += int(body["dropped"])
            self.cursor = int(body["next"])
            if not fresh:
                break
        return len(self.items) - before
