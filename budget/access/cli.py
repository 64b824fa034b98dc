"""The command line of the keys, for whoever can reach the store: also when no admin key is left.

Exit codes: 0 done, 1 there is no such key, 2 could not run.
"""

import asyncio
import json as json_module
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError

from budget.access.keys import KeyKind, KeyRecord
from budget.access.orders import KeyOrder, describe, now_unix_ms
from budget.errors import BudgetError
from budget.settings import Settings
from budget.store.keys import KeyBook
from budget.store.link import RedisLink
from serving.errors import StartError
from serving.settings import read_settings

DONE, NOT_FOUND, COULD_NOT_RUN = 0, 1, 2

_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_COLUMNS: Final = "{:<12}  {:<5}  {:<16}  {:<17}  {:<17}  {}"
_Result = TypeVar("_Result")

Names = Annotated[list[str] | None, Parameter(negative=())]
Json = Annotated[bool, Parameter(negative="")]

app = App(name="python -m budget.keys", help="Keys of the budget gateway.", version_flags=())


class UsageError(Exception):
    """An argument that can't be used."""


@app.command
def create(
    *,
    tenant: str | None = None,
    admin: Annotated[bool, Parameter(negative="")] = False,
    name: str = "",
    expires: str | None = None,
    app: Names = None,
    workflow: Names = None,
    model: Names = None,
    json: Json = False,
) -> int:
    """Make a key and print it, this once: only its SHA-256 is kept.

    Args:
        tenant: Whose calls are made with it.
        admin: Make an admin key, for the control API.
        name: For people.
        expires: After a time such as 90d, 12h or 30m, or at one such as 2027-01-31 or
            2027-01-31T12:00:00+02:00 (UTC where it does not say); never without it.
        app: May be used for this application (X-Workflow-App) only; may be repeated.
        workflow: May be used for this workflow (X-Workflow-Name) only; may be repeated.
        model: May be used for this model only; may be repeated.
        json: Print the key and what is kept of it as JSON.
    """
    key, record = KeyOrder(
        kind=KeyKind.ADMIN if admin else KeyKind.DATA,
        tenant=tenant,
        name=name,
        expires_unix_ms=None if expires is None else _read_time(expires, now_unix_ms()),
        apps=app or [],
        workflows=workflow or [],
        models=model or [],
    ).make()
    _ask(lambda book: book.add(record))
    if json:
        _print_json({"key": key, **describe(record)})
    else:
        _print(key)
    return DONE


@app.command(name="list")
def list_keys(*, json: Json = False) -> int:
    """List every key, oldest first, and those that were revoked last.

    Args:
        json: Print JSON.
    """
    live, revoked = _ask(_everything)
    if json:
        document = [describe(record) for record in live], [describe(*each) for each in revoked]
        _print_json(dict(zip(("keys", "revoked"), document, strict=True)))
        return DONE
    _print(_COLUMNS.format("ID", "KIND", "TENANT", "CREATED", "EXPIRES", "NAME"))
    for record in live:
        _print(_row(record))
    for record, at_unix_ms in revoked:
        _print(f"{_row(record)} (revoked {_time(at_unix_ms)})")
    return DONE


@app.command
def revoke(key_id: str, *, json: Json = False) -> int:
    """Let a key open nothing any more, from the next call on every gateway.

    Args:
        key_id: The id, as `list` shows it, or the part of the key that it is in.
        json: Print JSON.
    """
    wanted = re.sub(r"^rwy_(data|admin)_([0-9a-f]+).*$", r"\2", key_id)
    record = _ask(lambda book: book.revoke(wanted))
    if record is None:
        _complain(f"there is no key {wanted!r}: `python -m budget.keys list` shows all")
        return NOT_FOUND
    if json:
        _print_json(describe(record, now_unix_ms()))
    else:
        _print(f"{record.prefix} is revoked")
    return DONE


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code."""
    try:
        if not arguments:
            app.help_print()
            return COULD_NOT_RUN
        result = app(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        _complain(" ".join(str(error).split()))
        return COULD_NOT_RUN
    except ValidationError as error:
        _complain("; ".join(_problem(each["loc"], each["msg"]) for each in error.errors()))
        return COULD_NOT_RUN
    except (UsageError, StartError, BudgetError) as error:
        _complain(str(error))
        return COULD_NOT_RUN
    return result if isinstance(result, int) else DONE


def _ask(question: Callable[[KeyBook], Awaitable[_Result]]) -> _Result:
    """Ask the store of BUDGET_REDIS_URL."""
    url = read_settings(Settings).redis_url

    async def ask() -> _Result:
        link = RedisLink(url)
        link.start()
        try:
            return await question(KeyBook(link))
        finally:
            await link.close()

    return asyncio.run(ask())


async def _everything(
    book: KeyBook,
) -> tuple[tuple[KeyRecord, ...], tuple[tuple[KeyRecord, int], ...]]:
    return await book.all(), await book.revoked()


def _read_time(text: str, now: int) -> int:
    """Read a time from now, or a point in time, as unix milliseconds."""
    after = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if after is not None:
        return now + int(after[1]) * _UNIT_MS[after[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--expires {text}: write a time from now, such as 90d, 12h or 30m, or a date, such as "
            "2027-01-31"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1000


def _row(record: KeyRecord) -> str:
    expires = "never" if record.expires_unix_ms is None else _time(record.expires_unix_ms)
    bound = [
        f"{what}={','.join(names)}"
        for what, names in (
            ("apps", record.binding.apps),
            ("workflows", record.binding.workflows),
            ("models", record.binding.models),
        )
        if names
    ]
    return _COLUMNS.format(
        record.id,
        record.kind,
        record.tenant or "-",
        _time(record.created_unix_ms),
        expires,
        " ".join([record.name or "-", *bound]),
    )


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def _problem(place: tuple[int | str, ...], message: str) -> str:
    name = f"--{place[0]}: " if place else ""
    return f"{name}{message.removeprefix('Value error, ')}"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _print_json(document: object) -> None:
    _print(json_module.dumps(document))


def _complain(line: str) -> None:
    sys.stderr.write(f"budget.keys: {line}\n")
