"""The providers' routes that cost nothing: they are passed on as they are.

Counting tokens is free by Anthropic's page on it, and generates nothing; listing models is free
everywhere. Nothing else is taken to be.
"""

import re
from typing import Final

MODELS_PATH: Final = "/v1/models"
COUNT_TOKENS_PATH: Final = "/v1/messages/count_tokens"

_MODEL: Final = re.compile(rf"{MODELS_PATH}/([A-Za-z0-9._:@~/-]{{1,200}})")


def free_route(method: str, path: str) -> bool:
    """Whether a route, its path decoded, costs nothing."""
    if method == "POST":
        return path == COUNT_TOKENS_PATH
    return method == "GET" and (path == MODELS_PATH or _is_model(path))


def _is_model(path: str) -> bool:
    """Whether it names a model; no client or server may shorten it to another route."""
    found = _MODEL.fullmatch(path)
    return found is not None and not {"", ".", ".."} & set(found[1].split("/"))
