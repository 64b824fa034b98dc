"""Hypothesis strategies: cases that the command line could ask for."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from lab.projection.assumptions import Assumptions

ENDLESS, ONCE, NEVER = "1.16.1", "1.18.3", "1.14.4"
SECONDS = st.decimals("0.001", "600", places=3).map(Fraction)
RESTARTS = st.decimals("0", "50", places=2).map(Fraction)
DAYS = st.decimals("0.01", "90", places=2).map(Fraction)
CASES = st.builds(
    Assumptions,
    workflows=st.integers(1, 1000),
    in_flight=st.integers(1, 5),
    call_s=SECONDS,
    nano_usd_per_call=st.integers(0, 10**10),
    ttl_s=st.none() | SECONDS,
    profile=st.sampled_from([ENDLESS, ONCE, NEVER]),
    short_restarts_per_day=RESTARTS,
    outage_s=st.none() | SECONDS,
    days=DAYS,
    cap_nano_usd=st.integers(0, 10**13),
    zombie_executions=st.integers(2, 100),
)
ENDLESS_CASES = CASES.map(lambda case: replace(case, profile=ENDLESS, ttl_s=Fraction(1, 1000)))
"""Each of them loses its state and runs without end."""
