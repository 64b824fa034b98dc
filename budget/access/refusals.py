"""Answers to who may not call, in the provider's shape; none is worth a retry."""

from typing import Final

from budget.calls.refusals import NEVER_RETRY, Refusal

CHALLENGE: Final = (b"www-authenticate", b"Bearer")
CLOSE: Final = (b"connection", b"close")

_SEND: Final = "Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`."


def missing_key() -> Refusal:
    """Refuse a request without a key."""
    return _unauthenticated("missing_api_key", f"This gateway asks for a key. {_SEND}")


def invalid_key() -> Refusal:
    """Refuse a key that nobody made, or that was revoked."""
    return _unauthenticated(
        "invalid_api_key",
        "This key is not known here, or was revoked: ask for another "
        "(`python -m budget.keys create`).",
    )


def expired_key(prefix: str) -> Refusal:
    """Refuse a key whose time is over."""
    return _unauthenticated("invalid_api_key", f"The key {prefix}… has expired: ask for another.")


def several_keys() -> Refusal:
    """Refuse a request that shows more than one key: none of them is guessed to count."""
    return _unauthenticated(
        "invalid_api_key", "The request shows more than one key: send one, in one header."
    )


def not_bearer() -> Refusal:
    """Refuse another scheme."""
    return _unauthenticated(
        "invalid_api_key", f"The Authorization header is not of the scheme Bearer. {_SEND}"
    )


def _unauthenticated(code: str, message: str) -> Refusal:
    return Refusal(401, "authentication_error", code, message, (CHALLENGE, NEVER_RETRY))


def needs_data_key() -> Refusal:
    """Refuse an admin key where calls are made: it belongs to no tenant."""
    return _forbidden("An admin key makes no calls: use a data key, which belongs to a tenant.")


def needs_admin_key() -> Refusal:
    """Refuse a data key in the control API."""
    return _forbidden("A data key opens the provider's routes only: use an admin key here.")


def other_tenant(tenant: str) -> Refusal:
    """Refuse a tenant that the caller chose."""
    return _forbidden(
        f"X-Budget-Tenant contradicts the key, whose calls are those of tenant {tenant!r}: "
        "leave the header out, or use a key of that tenant."
    )


def not_bound_to(prefix: str, what: str, allowed: tuple[str, ...], given: str) -> Refusal:
    """Refuse what a key is not bound to."""
    return _forbidden(
        f"The key {prefix}… is bound to {what} {', '.join(map(repr, allowed))}; "
        f"this call's is {given!r}."
    )


def _forbidden(message: str, code: str = "scope_forbidden") -> Refusal:
    return Refusal(403, "permission_error", code, message, (NEVER_RETRY,))


def bad_host() -> Refusal:
    """Refuse a request without exactly one plain Host."""
    return Refusal(
        400,
        "invalid_request_error",
        "invalid_host",
        "The request must have one Host header, of the form name or name:port.",
        (NEVER_RETRY, CLOSE),
    )


def foreign_host(host: str) -> Refusal:
    """Refuse a name that a browser may have been tricked to resolve to this machine."""
    return _forbidden(
        f"This gateway asks for no keys, so it answers to IP addresses and localhost only, not to "
        f"the Host {host!r}: add the name to BUDGET_ALLOWED_HOSTS, or turn keys on.",
        "host_forbidden",
    )


def cross_origin(origin: str) -> Refusal:
    """Refuse what a browser sends for another site's page."""
    return _forbidden(
        f"A web page of {origin!r} may not use this gateway: only its own page may. If that is a "
        "name of this gateway, add it to BUDGET_ALLOWED_HOSTS.",
        "origin_forbidden",
    )


def head_too_large(most_bytes: int, most_headers: int) -> Refusal:
    """Refuse a request head beyond the bounds."""
    return Refusal(
        431,
        "invalid_request_error",
        "request_head_too_large",
        f"The request line and headers are more than {most_bytes} bytes or {most_headers} headers.",
        (NEVER_RETRY, CLOSE),
    )


def malformed_request() -> Refusal:
    """Refuse what is not HTTP/1.1."""
    return Refusal(
        400,
        "invalid_request_error",
        "malformed_request",
        "This is not a well-formed HTTP/1.1 request.",
        (NEVER_RETRY, CLOSE),
    )


def head_timeout(after_s: float) -> Refusal:
    """Refuse a request head that does not arrive."""
    return Refusal(
        408,
        "invalid_request_error",
        "request_timeout",
        f"The request line and headers did not arrive within {after_s:g} seconds.",
        (CLOSE,),
    )


def too_many_connections(most: int) -> Refusal:
    """Refuse a connection beyond what one gateway holds open."""
    return Refusal(
        503,
        "service_unavailable",
        "too_many_connections",
        f"This gateway has {most} connections open, its most (BUDGET_MAX_CONNECTIONS). Try again.",
        ((b"retry-after", b"1"), (b"x-should-retry", b"true"), CLOSE),
    )
