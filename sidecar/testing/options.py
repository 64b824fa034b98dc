"""What a test's sidecar is like."""

import json
from dataclasses import asdict, dataclass

from sidecar.profiles import UnknownProfileError, profile
from sidecar.testing.errors import UsageError

DEFAULT_PROFILE = "1.18.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the sidecar is like.

    Attributes:
        profile: The version of Dapr that it behaves like, such as `1.16.1`.
        app_id: Of the app under test.
        namespace: Of the app.
        ttl_s: Seconds after which a row of state expires that is not written again, as with
            `ttlInSeconds` of `state.redis`; None for never.

    Raises:
        UsageError: there is no such profile, or the TTL is not positive.
    """

    profile: str = DEFAULT_PROFILE
    app_id: str = "app"
    namespace: str = "default"
    ttl_s: int | None = None

    def __post_init__(self) -> None:
        try:
            profile(self.profile)
        except UnknownProfileError as error:
            raise UsageError(str(error)) from None
        if self.ttl_s is not None and self.ttl_s < 1:
            raise UsageError(f"ttl_s must be 1 or more, or None for never, got {self.ttl_s}")
        if not self.app_id or not self.namespace:
            raise UsageError("app_id and namespace must not be empty")

    def to_json(self) -> str:
        """Return one line that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """Read such a line."""
        return cls(**json.loads(text))
