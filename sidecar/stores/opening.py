"""Opens the rows of a component; imports no more than its kind of store needs."""

from sidecar.components import StateStore
from sidecar.stores.rows import Rows


def open_rows(store: StateStore) -> Rows:
    """Return the component's rows; a server is connected to when they are first used."""
    if store.redis is None:
        from sidecar.stores.sqlite import SqliteRows  # noqa: PLC0415

        return SqliteRows()
    from sidecar.stores.redis import RedisRows  # noqa: PLC0415

    return RedisRows(store.redis)
