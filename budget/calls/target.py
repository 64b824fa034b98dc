"""Where a provider is, as settings tell it: no I/O."""

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Target:
    """Where a provider is, and what it is to see of a caller.

    Attributes:
        base_url: Without `/v1`.
        sees_identity: Whether it gets the identity headers: a fake one does, a real one has no
            business with them.
        credential: The header that replaces the caller's credentials; None keeps theirs.
    """

    base_url: str
    sees_identity: bool = True
    credential: tuple[str, SecretStr] | None = None
