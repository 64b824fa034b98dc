"""Faults on purpose: one file each, set by `PUT /faults` or, for one request, by a header.

A new one is a file with a child of `Fault`, and its line in `kinds.py`.
"""

from fake_llm.faults.base import Fault
from fake_llm.faults.board import Armed, FaultBoard
from fake_llm.faults.kinds import KINDS
from fake_llm.faults.reading import read_faults

__all__ = ["KINDS", "Armed", "Fault", "FaultBoard", "read_faults"]
