"""Lets a request in or refuses it: the one place where keys, bindings and origins are checked.

Guarantees: a key opens nothing from the moment its revocation was acknowledged, on every gateway,
for it is read from the store with every call. Without the store nobody comes in but the owner of
BUDGET_ADMIN_KEY.
"""

import time
from hmac import compare_digest
from typing import Final

from budget.access import refusals
from budget.access.credentials import RawHeaders, credential_in
from budget.access.denials import Denials
from budget.access.grants import Grant, grant_of
from budget.access.keys import KeyKind, KeyRecord, digest_of, id_of
from budget.access.origins import check_origin
from budget.access.policy import Auth, Policy
from budget.calls.asgi import Scope
from budget.calls.refusals import store_unavailable
from budget.errors import RefusedError, StoreUnavailableError
from budget.store.keys import KeyBook

LOOK_EVERY_S: Final = 1.0
"""How often a gateway that asks nobody for a key looks whether one was made."""

NOBODY: Final = Grant()

_READING: Final = frozenset({"GET", "HEAD"})
_HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
_METRICS_PATH: Final = "/metrics"
_PAGE_PATH: Final = "/"


class Access:
    """Checks requests.

    Args:
        policy: Whether keys are asked for.
        book: The keys.
        denials: Who takes note of those that are refused.

    Attributes:
        denials: The same.
    """

    def __init__(self, policy: Policy, book: KeyBook, denials: Denials) -> None:
        self.denials = denials
        self._policy = policy
        self._book = book
        self._has_keys = False
        self._looked_s: float | None = None

    async def caller(self, scope: Scope) -> Grant:
        """Return what the caller of a provider's route may do.

        Raises:
            RefusedError: 401, 403, or 503 while the keys can't be read.
        """
        headers: RawHeaders = scope["headers"]
        if await self.is_open():
            check_origin(scope["method"], headers, self._policy.hosts, is_open=True)
            grant = NOBODY
        else:
            grant = grant_of(await self._record(credential_in(headers), KeyKind.DATA))
        grant.check_tenant(headers)
        return grant

    async def operator(self, scope: Scope) -> None:
        """Let a request to the control API pass.

        Raises:
            RefusedError: 400, 401, 403, or 503 while the keys can't be read.
        """
        if self._is_public(scope["method"], scope["path"]):
            return
        is_open = await self.is_open()
        check_origin(scope["method"], scope["headers"], self._policy.hosts, is_open=is_open)
        if is_open:
            return
        credential = credential_in(scope["headers"])
        if not self._is_bootstrap(credential):
            await self._record(credential, KeyKind.ADMIN)

    async def is_open(self) -> bool:
        """Whether nobody is asked for a key.

        Raises:
            RefusedError: 503; the store was never asked whether there are keys.
        """
        if self._policy.auth is not Auth.UNTIL_KEYS:
            return self._policy.auth is Auth.NONE
        if not self._has_keys:
            await self._look(time.monotonic())
        return not self._has_keys

    async def awaits_first_key(self) -> bool:
        """Whether nobody is asked for a key, until there is one.

        Raises:
            RefusedError: As `is_open`.
        """
        return self._policy.auth is Auth.UNTIL_KEYS and await self.is_open()

    def key_was_made(self) -> None:
        """Ask for keys from here on, where that depends on whether there are any."""
        self._has_keys = True

    async def _look(self, now_s: float) -> None:
        """Ask the store, now and then, whether there are keys.

        Once there were some there is no way back: a store that lost them opens nothing.
        """
        looked_s = self._looked_s
        if looked_s is not None:
            if now_s - looked_s < LOOK_EVERY_S:
                return
            self._looked_s = now_s
        try:
            if await self._book.count() > 0:
                self._has_keys = True
        except StoreUnavailableError as error:
            if looked_s is None:
                raise RefusedError(store_unavailable()) from error
        else:
            self._looked_s = now_s

    def _is_public(self, method: str, path: str) -> bool:
        if method not in _READING:
            return False
        is_metrics = path == _METRICS_PATH and self._policy.metrics_open
        return is_metrics or path in _HEALTH_PATHS or path == _PAGE_PATH

    def _is_bootstrap(self, credential: bytes) -> bool:
        digest = self._policy.admin_digest
        return digest is not None and compare_digest(digest, digest_of(credential))

    async def _record(self, credential: bytes, kind: KeyKind) -> KeyRecord:
        """Find a valid key of a kind."""
        if kind is KeyKind.DATA and self._is_bootstrap(credential):
            raise RefusedError(refusals.needs_data_key())
        key_id = id_of(credential)
        if key_id is None:
            raise RefusedError(refusals.invalid_key())
        try:
            record = await self._book.find(key_id)
        except StoreUnavailableError as error:
            raise RefusedError(store_unavailable()) from error
        if record is None or not record.is_of(credential):
            raise RefusedError(refusals.invalid_key())
        if record.is_expired(time.time_ns() // 1_000_000):
            raise RefusedError(refusals.expired_key(record.prefix))
        if record.kind is not kind:
            is_admin = kind is KeyKind.ADMIN
            raise RefusedError(
                refusals.needs_admin_key() if is_admin else refusals.needs_data_key()
            )
        return record
