"""The service's own account: what was charged for, and how every request ended."""

from fake_llm.books.books import Books
from fake_llm.books.journal import CallStatus
from fake_llm.books.meter import Call, Meter
from fake_llm.books.requests import Requests

__all__ = ["Books", "Call", "CallStatus", "Meter", "Requests"]
