"""API keys: how they look, what is kept of them, what they are bound to. Pure.

A key is `rwy_<kind>_<id>_<secret>`. The id is public: it names the key in lists and revocations.
The secret is 256 random bits. Only the SHA-256 of a whole key is kept. A slow hash protects what
people choose, by making each guess dear; of 2^256 equally likely secrets no share worth naming can
be tried at any speed, so it would only make every call slower.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from secrets import token_hex
from typing import Final

ID_BYTES: Final = 6
SECRET_BYTES: Final = 32
TENANT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

_KEY: Final = re.compile(rb"(rwy_(data|admin)_([0-9a-f]{12}))_[0-9a-f]{64}")


class KeyKind(StrEnum):
    """What a key opens."""

    DATA = "data"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a data key may be used for; an empty field allows any.

    Attributes:
        apps: Applications (`X-Workflow-App`).
        workflows: Names of workflows (`X-Workflow-Name`).
        models: Models, as requests name them.
    """

    apps: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key.

    Attributes:
        id: Public, unique.
        kind: What it opens.
        digest: SHA-256 of the key, in hex.
        tenant: Whose calls it makes; empty for an admin key.
        created_unix_ms: When it was made.
        name: For people.
        expires_unix_ms: From when on it is refused; None is never.
        binding: What it may be used for.
    """

    id: str
    kind: KeyKind
    digest: str
    tenant: str
    created_unix_ms: int
    name: str = ""
    expires_unix_ms: int | None = None
    binding: Binding = field(default_factory=Binding)

    @property
    def prefix(self) -> str:
        """The part of the key that people may see."""
        return f"rwy_{self.kind}_{self.id}"

    def is_of(self, key: bytes) -> bool:
        """Whether this is the record of a key; takes the same time whatever is wrong with it."""
        return compare_digest(self.digest, digest_of(key))

    def is_expired(self, now_unix_ms: int) -> bool:
        """Whether its time is over."""
        return self.expires_unix_ms is not None and now_unix_ms >= self.expires_unix_ms

    def encode(self) -> str:
        """Write it as the store keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))


def decode_record(text: str) -> KeyRecord:
    """Read a record.

    A field that is not known may be a restriction: it makes the record unreadable.

    Raises:
        ValueError: It can't be read.
    """
    try:
        found = json.loads(text)
        found["kind"] = KeyKind(found["kind"])
        binding = {name: tuple(values) for name, values in found.pop("binding").items()}
        return KeyRecord(**found, binding=Binding(**binding))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a key's record: {error}") from None


def new_key(
    kind: KeyKind,
    now_unix_ms: int,
    *,
    tenant: str = "",
    name: str = "",
    expires_unix_ms: int | None = None,
    binding: Binding | None = None,
) -> tuple[str, KeyRecord]:
    """Make a key; return it, for its owner alone, and what is kept of it."""
    key_id = token_hex(ID_BYTES)
    key = f"rwy_{kind}_{key_id}_{token_hex(SECRET_BYTES)}"
    record = KeyRecord(
        key_id,
        kind,
        digest_of(key.encode()),
        tenant,
        now_unix_ms,
        name,
        expires_unix_ms,
        binding or Binding(),
    )
    return key, record


def id_of(key: bytes) -> str | None:
    """Return the id in a key; None when it is none of ours."""
    found = _KEY.fullmatch(key)
    return None if found is None else found[3].decode()


def digest_of(key: bytes) -> str:
    """Return what is kept of a key."""
    return sha256(key).hexdigest()
