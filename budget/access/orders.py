"""What somebody asks of a new key, and what anybody may see of one."""

import time
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from budget.access.keys import TENANT_PATTERN, Binding, KeyKind, KeyRecord, new_key
from metering.identity import MAX_VALUE_LENGTH, UNKNOWN

MAX_ALLOWED: Final = 100

Name = Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]
Allowed = Annotated[list[Name], Field(max_length=MAX_ALLOWED)]


class KeyOrder(BaseModel):
    """What a new key is for."""

    model_config = ConfigDict(extra="forbid")

    kind: KeyKind = KeyKind.DATA
    tenant: Annotated[str, Field(pattern=TENANT_PATTERN)] | None = None
    name: Annotated[str, Field(max_length=MAX_VALUE_LENGTH)] = ""
    expires_unix_ms: Annotated[int, Field(le=2**53)] | None = None
    apps: Allowed = []
    workflows: Allowed = []
    models: Allowed = []

    @model_validator(mode="after")
    def _is_whole(self) -> "KeyOrder":
        if self.kind is KeyKind.ADMIN:
            if self.tenant or self.apps or self.workflows or self.models:
                raise ValueError("an admin key belongs to no tenant and is bound to nothing")
        elif self.tenant is None:
            raise ValueError("a data key needs a tenant")
        elif self.tenant == UNKNOWN:
            raise ValueError(f"the tenant {UNKNOWN!r} is that of calls without a key")
        if self.expires_unix_ms is not None and self.expires_unix_ms <= now_unix_ms():
            raise ValueError("a key must expire in the future")
        return self

    def make(self) -> tuple[str, KeyRecord]:
        """Make the key; return it and its record."""
        return new_key(
            self.kind,
            now_unix_ms(),
            tenant=self.tenant or "",
            name=self.name,
            expires_unix_ms=self.expires_unix_ms,
            binding=Binding(tuple(self.apps), tuple(self.workflows), tuple(self.models)),
        )


def now_unix_ms() -> int:
    """Return the time, by this machine's clock."""
    return time.time_ns() // 1_000_000


def describe(record: KeyRecord, revoked_unix_ms: int | None = None) -> dict[str, Any]:
    """Return what may be seen of a key."""
    return {
        "id": record.id,
        "kind": record.kind,
        "prefix": record.prefix,
        "tenant": record.tenant or None,
        "name": record.name,
        "created_unix_ms": record.created_unix_ms,
        "expires_unix_ms": record.expires_unix_ms,
        "revoked_unix_ms": revoked_unix_ms,
        "apps": record.binding.apps,
        "workflows": record.binding.workflows,
        "models": record.binding.models,
    }
