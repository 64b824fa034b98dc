"""How long an answer takes: pure, without clock or I/O."""

from fake_llm.pace.latency import Latency
from fake_llm.pace.pacing import Pacing
from fake_llm.pace.timing import Timing

__all__ = ["Latency", "Pacing", "Timing"]
