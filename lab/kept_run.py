"""A run that ended: read back from its folder, and judged anew from what its arms saw."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.errors import NoRunError
from lab.evidence import ArmEvidence
from lab.scenario import ArmName
from lab.verdict import Verdict, judge

LATEST = "latest"
_HEAD = "run.json"


class _KeptScenario(BaseModel):
    model_config = ConfigDict(extra="allow")

    arms: tuple[ArmName, ...]
    profile: str
    disrupt: str
    workflows: int
    call_s: float
    runtime: str


class _KeptHead(BaseModel):
    """What the pages need of run.json; more than that is kept as it is."""

    model_config = ConfigDict(extra="allow")

    run: str
    began: str
    command: str
    status: str
    versions: dict[str, str]
    scenario: _KeptScenario
    verdict: str | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One complete run.

    Attributes:
        head: what run.json says of it.
        first_verdict: the outcome that it was given when it ended.
        verdict: what its evidence is judged to be now.
    """

    directory: Path
    head: dict[str, Any]
    first_verdict: str
    verdict: Verdict

    @property
    def is_judged_otherwise(self) -> bool:
        """Whether it came to something else when it ended."""
        before = self.head.get("exit_code", self.verdict.exit_code)
        same = (self.first_verdict, before) == (self.verdict.outcome, self.verdict.exit_code)
        return not same


def find_run(runs: Path, name: str | None) -> Path:
    """Return the folder of a run: a path, a name in the folder of all runs, or the last one.

    Raises:
        NoRunError: there is no such folder.
    """
    if name is None:
        if not (runs / LATEST).is_dir():
            raise NoRunError(f"no run is kept in {runs} yet: start one with ./runaway reproduce")
        return (runs / LATEST).resolve()
    for path in (Path(name), runs / name):
        if path.is_dir():
            return path.resolve()
    raise NoRunError(f"no run {name!r}: neither a folder, nor the name of one in {runs}")


def read_run(directory: Path) -> KeptRun:
    """Read a complete run and judge it.

    Raises:
        NoRunError: it is no run, did not come to its end, or can't be read any more.
    """
    document, head = _read_head(directory)
    if head.status != "complete":
        raise NoRunError(f"{directory}: {_unfinished(head)}; repeat it with: {head.command}")
    evidence = [_read_arm(directory, arm) for arm in head.scenario.arms]
    verdict = judge(evidence)
    return KeptRun(directory, document, head.verdict or "", verdict)


def _read_head(directory: Path) -> tuple[dict[str, Any], _KeptHead]:
    path = directory / _HEAD
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        return document, _KeptHead.model_validate(document)
    except FileNotFoundError:
        raise NoRunError(f"{directory} is no run: it has no {_HEAD}") from None
    except OSError as error:
        raise NoRunError(f"{path} can't be read: {error.strerror}") from None
    except ValidationError as error:
        raise NoRunError(f"{path} is not what a run writes: {_first(error)}") from None
    except ValueError as error:
        raise NoRunError(f"{path} is no JSON: {error}") from None


def _unfinished(head: _KeptHead) -> str:
    if head.status == "running":
        return "the run has not ended, or was killed before it could say so"
    return f"the run {head.status} and kept no evidence ({head.sentence})"


def _read_arm(directory: Path, arm: str) -> ArmEvidence:
    path = directory / "arms" / arm / "evidence.json"
    try:
        evidence = ArmEvidence.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NoRunError(f"{directory}: the evidence of arm {arm} is missing ({path})") from None
    except OSError as error:
        raise NoRunError(f"{path} can't be read: {error.strerror}") from None
    except ValidationError as error:
        raise NoRunError(f"{path} is not what an arm writes: {_first(error)}") from None
    if evidence.arm != arm:
        raise NoRunError(f"{path} is the evidence of arm {evidence.arm}, not of arm {arm}")
    return evidence


def _first(error: ValidationError) -> str:
    entry, *others = error.errors(include_url=False, include_input=False)
    where = ".".join(map(str, entry["loc"])) or "the whole"
    more = f", and {len(others)} more" if others else ""
    return f"{where}: {entry['msg']}{more}"
