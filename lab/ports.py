"""The ports of a stack: the documented ones, free ones, and who holds a taken one."""

import random
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace

import psutil

from lab.errors import PortTakenError

# Below the range from which Linux and macOS draw the ports of outgoing connections.
_FREE_RANGE = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of one stack, all on loopback; the defaults are those of the documentation."""

    state_redis: int = 6379
    budget_redis: int = 6380
    scheduler: int = 50006
    scheduler_http: int = 8082
    sidecar_grpc: int = 50001
    sidecar_http: int = 3500
    fake_llm: int = 8001
    budget: int = 8002
    app: int = 8999
    control: int = 8900
    placement: int = 50005
    placement_raft: int = 8201
    placement_http: int = 8081
    placement_metrics: int = 9191
    scheduler_etcd: int = 2379
    scheduler_etcd_peer: int = 2380
    scheduler_metrics: int = 9092
    sidecar_internal: int = 50002
    sidecar_metrics: int = 9090


# What Dapr's own processes open besides, and nobody who uses a stack has to know.
INNER = (
    *("placement", "placement_raft", "placement_http", "placement_metrics"),
    *("scheduler_etcd", "scheduler_etcd_peer", "scheduler_metrics"),
    *("sidecar_internal", "sidecar_metrics"),
)
OFFERED = tuple(field.name for field in fields(Ports) if field.name not in INNER)


def flag_of(field_name: str) -> str:
    """Return the option of `runaway up` that changes a port."""
    return f"--{field_name.replace('_', '-')}-port"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            # With SO_REUSEADDR a bind beside a listener may pass; listening may not.
            probe.listen(1)
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Name the program that listens on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another program"
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "another program"


def require_free(ports: Ports, names: Collection[str] = OFFERED) -> None:
    """Raise `PortTakenError` that names every taken port, by whom, and the flag that changes it."""
    names_by_port: dict[int, list[str]] = {}
    for name, port in asdict(ports).items():
        if name in names:
            names_by_port.setdefault(port, []).append(name)
    problems = [
        f"port {port} is asked for by {' and '.join(flag_of(name) for name in names)}"
        for port, names in names_by_port.items()
        if len(names) > 1
    ]
    problems += [
        f"port {port} ({names[0]}) is taken by {holder_of(port)}; choose another with "
        f"{flag_of(names[0])} PORT"
        for port, names in names_by_port.items()
        if not is_free(port)
    ]
    if problems:
        raise PortTakenError("\n".join(problems))


def free_ports(rng: random.Random, taken: set[int]) -> Ports:
    """Draw free ports for one stack and add them to `taken`, so that no two stacks share one."""
    return Ports(**_drawn((field.name for field in fields(Ports)), rng, taken))


def with_free_inner(ports: Ports, rng: random.Random) -> Ports:
    """Return `ports` with free ones for all that nobody has to know."""
    return replace(ports, **_drawn(INNER, rng, {getattr(ports, name) for name in OFFERED}))


def _drawn(names: Iterable[str], rng: random.Random, taken: set[int]) -> dict[str, int]:
    drawn: dict[str, int] = {}
    for name in names:
        port = rng.choice(_FREE_RANGE)
        while port in taken or not is_free(port):
            port = rng.choice(_FREE_RANGE)
        taken.add(port)
        drawn[name] = port
    return drawn


def changed(ports: Ports, overrides: Mapping[str, int | None]) -> Ports:
    """Return `ports` with the given ones replaced; None leaves one as it is."""
    return Ports(**{**asdict(ports), **{k: v for k, v in overrides.items() if v is not None}})
