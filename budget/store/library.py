"""The functions in Redis: where their source is, what they and their keys are called."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, unquote

from budget.scopes import KEY_PREFIX
from budget.store.link import RedisLink

LIBRARY: Final = "budget_v3"
FILES: Final = (
    *("base", "calendar", "rolling", "scopes", "barriers", "thresholds", "velocity"),
    *("claims", "stops", "instances", "switches", "holds", "endings", "cases"),
    *("admission", "limits", "totals", "register", "recovery"),
)
"""In the order in which they build on each other."""

TEST_CLOCK: Final = "test_only_clock_offset_ms"
"""Field of META that moves the store's clock. No gateway opens a store that has it."""

META: Final = f"{KEY_PREFIX}meta"
HOLDS: Final = f"{KEY_PREFIX}holds"
LEDGER: Final = f"{KEY_PREFIX}ledger"
TRIPS: Final = f"{KEY_PREFIX}trips"
STOPS: Final = f"{KEY_PREFIX}stops"
LIMITS: Final = f"{KEY_PREFIX}limits"
GATEWAYS: Final = f"{KEY_PREFIX}gateways"
RECOVERY: Final = f"{KEY_PREFIX}recovery"
STAGED: Final = f"{KEY_PREFIX}staged"
STRANGERS: Final = f"{KEY_PREFIX}strangers"
ANSWERS: Final = f"{KEY_PREFIX}answers"
HOLD_PREFIX: Final = f"{KEY_PREFIX}hold:"
CLAIM_PREFIX: Final = f"{KEY_PREFIX}claim:"
ACTIVITY_PREFIX: Final = f"{KEY_PREFIX}activity:"


def instance_key(instance: str) -> str:
    """Return the key of what is known of an instance beside its money."""
    return f"{KEY_PREFIX}instance:{quote(instance, safe='')}"


def stop_key(instance: str) -> str:
    """Return the key of an instance's stop at its source."""
    return f"{KEY_PREFIX}stop:{quote(instance, safe='')}"


def id_in(key: str) -> str:
    """Return the id that a key ends with."""
    return unquote(key.rpartition(":")[2])


async def load_library(link: RedisLink) -> None:
    """Load the functions, unless the very same are there.

    A full store loads nothing, but answers whether they are there.
    """
    folder = files("budget.store").joinpath("lua")
    source = "\n".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in FILES)
    listing = await link.send("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    if not any(_code(library) == source for library in listing):
        await link.send("FUNCTION", "LOAD", "REPLACE", source)


def call(link: RedisLink, function: str, keys: Sequence[str], *arguments: str | int) -> Any:
    """Call one of the functions; the future holds its reply."""
    return link.send("FCALL", f"{LIBRARY}_{function}", len(keys), *keys, *arguments)


def _code(library: dict[str, Any] | list[Any]) -> str | None:
    """Return the source in one entry of FUNCTION LIST, a map or a list of pairs."""
    pairs = (
        library
        if isinstance(library, dict)
        else dict(zip(library[::2], library[1::2], strict=True))
    )
    return pairs.get("library_code")
