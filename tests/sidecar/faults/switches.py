"""Sets and lifts the faults of a running sidecar."""

from typing import Any

import httpx

from tests.sidecar.stack import Stack, until
from tests.support.http import SHARED_TLS


class Switches:
    """The admin routes of a stack's sidecar."""

    def __init__(self, stack: Stack) -> None:
        self.url = stack.health_url.removesuffix("/v1.0/healthz") + "/admin/faults"

    def set(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Set a fault, and return what the sidecar says of it."""
        answer = httpx.post(f"{self.url}/{kind}", json=attributes, verify=SHARED_TLS, timeout=5)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def lift(self, kind: str = "") -> int:
        """Lift a fault, or all; return how many were in force."""
        answer = httpx.delete(f"{self.url}/{kind}".rstrip("/"), verify=SHARED_TLS, timeout=5)
        assert answer.status_code == 200, answer.text
        lifted: int = answer.json()["lifted"]
        return lifted

    def get(self, kind: str) -> dict[str, Any]:
        """Return what the sidecar says of a fault."""
        listed = httpx.get(self.url, verify=SHARED_TLS, timeout=5).json()["faults"]
        (shown,) = [each for each in listed if each["kind"] == kind]
        found: dict[str, Any] = shown
        return found

    def wait_for_hits(self, kind: str, hits: int = 1) -> None:
        """Wait until a fault has struck so often."""
        until(lambda: self.get(kind)["hits"] >= hits, what=f"{hits} hits of {kind}")
