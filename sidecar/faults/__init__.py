"""Faults on purpose: what can go wrong around a workflow, set and lifted while it runs.

One module a fault, behind `base.Fault`; `switchboard.Faults` keeps those in force. They follow what
Dapr does when the same thing happens to it, and a restart of the sidecar has none of them.
"""

from sidecar.faults.base import Parts
from sidecar.faults.faulty_rows import FaultyRows
from sidecar.faults.scheduler_link import SchedulerLink
from sidecar.faults.store_faults import StoreFaults
from sidecar.faults.switchboard import KINDS, Faults, Setting

__all__ = ["KINDS", "Faults", "FaultyRows", "Parts", "SchedulerLink", "Setting", "StoreFaults"]
