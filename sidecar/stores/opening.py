"""Opens the rows of a component; imports no more than its kind of store needs."""

from sidecar.components.state_store import StateStore
from sidecar.profiles import Profile
from sidecar.stores.rows import Rows


def open_rows(store: StateStore, profile: Profile) -> Rows:
    """Return the component's rows; a server is connected to when they are first used.

    Args:
        store: The component.
        profile: Says whether Dapr verifies the certificate of a server.
    """
    if store.redis is None:
        from sidecar.stores.sqlite import SqliteRows  # noqa: PLC0415

        return SqliteRows()
    from sidecar.stores.redis import RedisRows  # noqa: PLC0415

    verified = profile.redis_tls_verified and not store.redis.skips_verification
    return RedisRows(store.redis, verified=verified)
