"""What of an exchange is compared: messages, executions and their tempo, log lines, rows."""

from tests.conformance.compare.facet import Difference, Facet, compare

__all__ = ["Difference", "Facet", "compare"]
