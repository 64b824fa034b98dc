"""The load generator's own options: their names and defaults, and one check of all of them.

Values arrive as text from the command line, the environment or Locust's web form.
"""

import ipaddress
import json
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from loadgen.errors import OptionsError

Expect = Literal["finished", "any"]
_T = TypeVar("_T")

MAX_WORKFLOWS: Final = 100_000
MAX_RATE_PER_S: Final = 1_000
MAX_DRAIN_S: Final = 86_400
MAX_SPEND_USD: Final = 9_000_000
NANO_PER_USD: Final = 10**9

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option as Locust's parser needs it.

    Attributes:
        flag: Its name on the command line; the environment variable follows from it.
        default: Text that `parse_options` understands; empty means none.
        help: One line.
    """

    flag: str
    default: str
    help: str

    @property
    def dest(self) -> str:
        """Name of the attribute in Locust's parsed options."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def env_var(self) -> str:
        """Name of the environment variable."""
        return f"LOADGEN_{self.dest.upper()}"


OPTIONS: Final = (
    OptionSpec("--workflows", "10", "how many workflows to start in all"),
    OptionSpec("--start-rate", "5", "starts a second"),
    OptionSpec("--workflow", "agent", "name of the workflow"),
    OptionSpec("--input", "{}", "input of the workflow, a JSON object"),
    OptionSpec("--run-id", "", "instance ids are <run id>-<n>; empty: random"),
    OptionSpec("--drain-timeout-s", "10", "how long the end waits for open workflows"),
    OptionSpec(
        "--expect",
        "finished",
        "finished: each workflow must finish; any: each must start, whatever becomes of it",
    ),
    OptionSpec("--fake-llm-url", "http://127.0.0.1:8001", "ledger of the fake LLM"),
    OptionSpec("--budget-url", "http://127.0.0.1:8002", "budget gateway"),
    OptionSpec("--max-spend-usd", "", "stop the run when it has spent more; empty: no limit"),
    OptionSpec("--timeline", "", "file for one JSON line a second; empty: none"),
    OptionSpec("--summary", "", "file for one JSON object at the end; empty: none"),
)
ALLOW_REMOTE_FLAG: Final = "--allow-remote"


@dataclass(frozen=True, slots=True)
class Options:
    """A checked run.

    Attributes:
        host: Base URL of the workflow app.
        workflows: How many workflows to start in all.
        start_rate_per_s: Starts a second.
        workflow: Name of the workflow.
        input: Its input.
        run_id: Instance ids are `<run id>-<n>`, n from 1.
        drain_timeout_s: Longest wait for open workflows at the end.
        expect: What counts as expected at the end.
        fake_llm_url: Where the guard reads the ledger.
        budget_url: Where the guard reads the budget.
        max_spend_nano_usd: The guard stops the run above it; None means no limit.
        timeline: Path of the timeline, or None.
        summary: Path of the summary, or None.
        allow_remote: Whether targets that are not loopback are permitted.
    """

    host: str
    workflows: int
    start_rate_per_s: float
    workflow: str
    input: dict[str, Any]
    run_id: str
    drain_timeout_s: float
    expect: Expect
    fake_llm_url: str
    budget_url: str
    max_spend_nano_usd: int | None
    timeline: str | None
    summary: str | None
    allow_remote: bool

    def instance_id(self, number: int) -> str:
        """Return the id of the n-th workflow, n from 1."""
        return f"{self.run_id}-{number}"

    def instance_ids(self) -> list[str]:
        """Return all ids of the run."""
        return [self.instance_id(number) for number in range(1, self.workflows + 1)]


def parse_options(raw: Mapping[str, Any], host: str | None) -> Options:
    """Check all options at once.

    Args:
        raw: Texts by attribute name, as `OptionSpec.dest` gives it, and `allow_remote`.
        host: Locust's `--host`.

    Raises:
        OptionsError: Names every bad option, its value and how to mend it.
    """
    checker = _Checker(raw)
    allow_remote = bool(raw.get("allow_remote"))
    urls = {
        "--host": checker.url("--host", host or "", allow_remote=allow_remote),
        "--fake-llm-url": checker.url(
            "--fake-llm-url", checker.text("--fake-llm-url"), allow_remote=allow_remote
        ),
        "--budget-url": checker.url(
            "--budget-url", checker.text("--budget-url"), allow_remote=allow_remote
        ),
    }
    options = Options(
        host=urls["--host"],
        workflows=checker.whole("--workflows", 1, MAX_WORKFLOWS),
        start_rate_per_s=checker.number("--start-rate", MAX_RATE_PER_S, above_zero=True),
        workflow=checker.named("--workflow"),
        input=checker.json_object("--input"),
        run_id=checker.run_id("--run-id"),
        drain_timeout_s=checker.number("--drain-timeout-s", MAX_DRAIN_S),
        expect=checker.expect("--expect"),
        fake_llm_url=urls["--fake-llm-url"],
        budget_url=urls["--budget-url"],
        max_spend_nano_usd=checker.nano_usd("--max-spend-usd"),
        timeline=checker.text("--timeline") or None,
        summary=checker.text("--summary") or None,
        allow_remote=allow_remote,
    )
    if checker.problems:
        raise OptionsError(checker.problems)
    return options


class _Checker:
    """Reads one option at a time and collects what is wrong; a bad one reads as a placeholder."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self.problems: list[str] = []

    def text(self, flag: str) -> str:
        value = self._raw.get(flag.removeprefix("--").replace("-", "_"))
        return "" if value is None else str(value).strip()

    def named(self, flag: str) -> str:
        return self.text(flag) or self._bad(flag, "must not be empty", "")

    def whole(self, flag: str, least: int, most: int) -> int:
        text = self.text(flag)
        if not text.isdecimal() or not least <= int(text[:12]) <= most:
            return self._bad(flag, f"must be a whole number from {least} to {most}", 0)
        return int(text)

    def number(self, flag: str, most: float, *, above_zero: bool = False) -> float:
        try:
            value = float(self.text(flag))
        except ValueError:
            value = math.nan
        if not (0 < value <= most or (value == 0 and not above_zero)):
            least = "above 0" if above_zero else "from 0"
            return self._bad(flag, f"must be a number {least} to {most}", 0.0)
        return value

    def json_object(self, flag: str) -> dict[str, Any]:
        try:
            value = json.loads(self.text(flag))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            return self._bad(flag, """must be a JSON object, such as '{"steps": 5}'""", {})
        return value

    def run_id(self, flag: str) -> str:
        text = self.text(flag) or f"run-{secrets.token_hex(4)}"
        if not _RUN_ID.match(text):
            rule = "must be 1 to 80 letters, digits, '.', '_' or '-', a letter or digit first"
            return self._bad(flag, rule, "")
        return text

    def expect(self, flag: str) -> Expect:
        match self.text(flag):
            case "finished":
                return "finished"
            case "any":
                return "any"
        return self._bad(flag, "must be finished or any", "finished")

    def nano_usd(self, flag: str) -> int | None:
        text = self.text(flag)
        if not text:
            return None
        try:
            nano = Decimal(text) * NANO_PER_USD
        except InvalidOperation:
            nano = Decimal("NaN")
        if not nano.is_finite() or not 0 <= nano <= MAX_SPEND_USD * NANO_PER_USD or nano % 1:
            rule = f"must be dollars from 0 to {MAX_SPEND_USD} with at most nine decimals"
            return self._bad(flag, rule, None)
        return int(nano)

    def url(self, flag: str, value: str, *, allow_remote: bool) -> str:
        name = _host_of(value)
        if name is None:
            return self._bad(flag, "must be like http://127.0.0.1:8999", "", shown=value)
        if not allow_remote and not is_loopback(name):
            rule = f"{name} is not this machine; add {ALLOW_REMOTE_FLAG} to permit it"
            return self._bad(flag, rule, "", shown=value)
        return value.rstrip("/")

    def _bad(self, flag: str, rule: str, placeholder: _T, *, shown: str | None = None) -> _T:
        got = self.text(flag) if shown is None else shown
        self.problems.append(f"{flag} {rule}, got {got!r}")
        return placeholder


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is certainly this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if usable else None
