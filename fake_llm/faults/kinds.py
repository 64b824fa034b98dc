"""All kinds of faults."""

from collections.abc import Mapping
from typing import Final

from fake_llm.faults.base import Fault
from fake_llm.faults.fail import Fail

KINDS: Final[Mapping[str, type[Fault]]] = {each.kind: each for each in (Fail,)}
