"""`GET /`: the operator's page, one document that loads nothing and runs only its own script.

The page itself holds no data: it asks the control API with the admin key that is entered in it.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

_STYLE: Final = "/* style */"
_SCRIPTS: Final = ("base.js", "views.js", "orders.js")
_SCRIPT: Final = "/* script */"


def build_page() -> tuple[str, str]:
    """Return the document, and the Content-Security-Policy that allows just its own parts."""
    folder = files("budget.control").joinpath("page_files")
    style, body, *scripts = (
        folder.joinpath(name).read_text("utf-8") for name in ("page.css", "page.html", *_SCRIPTS)
    )
    script = "\n".join(scripts)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_of(script)}",
            f"style-src {_hash_of(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return body.replace(_STYLE, style).replace(_SCRIPT, script), policy


def page_routes() -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["operating"])
    document, policy = build_page()
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }

    @router.get("/", response_class=HTMLResponse)
    async def page() -> Response:
        """The operator's page."""
        return HTMLResponse(document, headers=headers)

    return router


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
