"""The providers' routes, near the ASGI level: one package or module each behind one interface.

A new one is a child of `Route`, and its line in `table.py`.
"""

from fake_llm.routes.base import Route, StreamEncoder
from fake_llm.routes.table import ROUTES

__all__ = ["ROUTES", "Route", "StreamEncoder"]
