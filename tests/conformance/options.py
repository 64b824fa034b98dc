"""The command line: parsed and checked at once, before anything is started or connected."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.errors import BadArgumentsError
from tests.conformance.needs import Need
from tests.conformance.scenarios import SCENARIOS

_USAGE = """\
Plays the scenarios that were recorded on real Dapr on a sidecar, and compares.

Without --grpc the embedded sidecar is started and compared. With it, any sidecar: give the handles
below, or what needs them is listed as not run. The app id must have no other app than the driver's,
and its state store no other use: scenarios flush Redis and kill the sidecar.

Exit code: 0 equal, or differing only where tests/conformance/declared.yaml says so; 1 other
differences, or declared ones that are gone; 2 could not run.
"""
_COMMANDS = (Need.KILL, Need.STOP, Need.START, Need.RESTART_SCHEDULER, Need.TTL)
_ADDRESSES = (Need.REDIS, Need.SCHEDULER)
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the driver is to do.

    Attributes:
        grpc: Of the sidecar; None is for the embedded one.
        versions: To compare with.
        scenarios: Names, in the order of the table.
        commands: Shell commands by handle.
        keep: Folder for logs and journals; None is one that goes with the run.
        scale: Play the rows of the runaway at scale instead.
    """

    grpc: Address | None
    http: Address | None
    redis: Address | None
    scheduler: Address | None
    versions: tuple[str, ...]
    scenarios: tuple[str, ...]
    commands: dict[Need, str]
    sidecar_log: Path | None
    app_id: str
    namespace: str
    keep: Path | None
    json: Path | None
    markdown: Path | None
    list: bool
    scale: bool


def known_versions() -> list[str]:
    """Return the versions of Dapr on which anything was recorded."""
    return sorted({version for each in SCENARIOS for version in each.versions()})


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; BadArgumentsError names all that is wrong."""
    given = _parser().parse_args(arguments)
    problems: list[str] = []
    addresses = {
        name: _address(f"--{name}", getattr(given, name), problems)
        for name in ("grpc", "http", "redis", "scheduler")
    }
    problems += _unknown("--profile", given.profile, known_versions())
    problems += _unknown("--scenario", given.scenario, [each.name for each in SCENARIOS])
    commands = {each: value for each in _COMMANDS if (value := getattr(given, _attribute(each)))}
    problems += _disagreeing(given, commands)
    if problems:
        raise BadArgumentsError(problems)
    return Options(
        **addresses,
        versions=tuple(given.profile or known_versions()),
        scenarios=tuple(
            each.name for each in SCENARIOS if each.name in (given.scenario or [each.name])
        ),
        commands=commands,
        sidecar_log=given.sidecar_log,
        app_id=given.app_id,
        namespace=given.namespace,
        keep=given.keep,
        json=given.json,
        markdown=given.markdown,
        list=given.list,
        scale=given.scale,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.conformance",
        description=_USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--grpc", metavar="HOST:PORT", help="the sidecar's gRPC; without it the embedded one is run"
    )
    add("--http", metavar="HOST:PORT", help="its HTTP: metadata, reminders")
    add(
        "--profile", action="append", metavar="VERSION", help="of Dapr, to compare with; repeatable"
    )
    add("--scenario", action="append", metavar="NAME", help="play this one only; repeatable")
    add("--list", action="store_true", help="list scenarios, versions and needs, and end")
    add("--app-id", default="lab", help="default: lab, as recorded")
    add("--namespace", default="default", help="default: default, as recorded")
    add("--redis", metavar="HOST:PORT", help="the state store")
    add("--scheduler", metavar="HOST:PORT", help="the scheduler's gRPC")
    add("--sidecar-log", type=Path, metavar="FILE", help="its log, one JSON object a line")
    add("--kill-sidecar", metavar="CMD", help="SIGKILLs it, and returns when it is gone")
    add("--stop-sidecar", metavar="CMD", help="SIGTERMs it, and returns when it is gone")
    add("--start-sidecar", metavar="CMD", help="starts it in the background, and returns")
    add("--restart-scheduler", metavar="CMD", help="restarts the scheduler on its stored jobs")
    add("--set-ttl", metavar="CMD", help="sets ttlInSeconds to {ttl_s}, -1 for none, and restarts")
    add("--keep", type=Path, metavar="DIR", help="existing folder where logs and journals stay")
    add("--json", type=Path, metavar="FILE", help="write all results, differences in full")
    add(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write the table as Markdown, between the marks where FILE has them",
    )
    add("--scale", action="store_true", help="play the runaway at scale instead; takes minutes")
    return parser


def _attribute(need: Need) -> str:
    return need.removeprefix("--").replace("-", "_")


def _address(option: str, text: str | None, problems: list[str]) -> Address | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if host and port.isdecimal() and 0 < int(port) <= _LAST_PORT:
        return Address(host, int(port))
    problems.append(f"{option} {text!r}: give HOST:PORT, with a port of 1 to {_LAST_PORT}")
    return None


def _unknown(option: str, given: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    return [
        f"{option} {each!r}: nothing is recorded under that name; there are {', '.join(known)}"
        for each in given or ()
        if each not in known
    ]


def _disagreeing(given: argparse.Namespace, commands: dict[Need, str]) -> list[str]:
    problems = []
    if given.scale and given.grpc is not None:
        problems.append("--scale: is for the embedded sidecar; leave out --grpc")
    if given.grpc is None:
        handles = [*_ADDRESSES, *commands, Need.HTTP, Need.LOG]
        problems += [
            f"{each}: belongs to a sidecar of yours; name its address with --grpc HOST:PORT"
            for each in dict.fromkeys(handles)
            if getattr(given, _attribute(each))
        ]
    elif len(given.profile or ()) != 1:
        problems.append(
            "--grpc: say with one --profile which version that sidecar is compared with"
        )
    if Need.TTL in commands and "{ttl_s}" not in commands[Need.TTL]:
        problems.append(f"{Need.TTL} {commands[Need.TTL]!r}: has no {{ttl_s}} where the TTL goes")
    if (Need.KILL in commands or Need.STOP in commands) and Need.START not in commands:
        problems.append(f"{Need.START}: is needed too, or a killed sidecar would not come back")
    if given.keep is not None and not given.keep.is_dir():
        problems.append(f"--keep {given.keep}: no such folder")
    if given.sidecar_log is not None and not given.sidecar_log.exists():
        problems.append(f"{Need.LOG} {given.sidecar_log}: no such file")
    return problems
