import os
import socket
from dataclasses import asdict
from random import SystemRandom

import pytest

from lab.errors import PortTakenError
from lab.ports import Ports, changed, free_ports, is_free, require_free

RNG = SystemRandom()


def test_every_taken_port_is_named_with_its_holder_and_its_flag() -> None:
    """Two taken ports: both named, by whom, and which option changes each."""
    ports = free_ports(RNG, set())
    with (
        socket.create_server(("127.0.0.1", ports.app)),
        socket.create_server(("127.0.0.1", ports.sidecar_grpc)),
    ):
        with pytest.raises(PortTakenError) as caught:
            require_free(ports)
        lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert f"port {ports.app} " in lines[1]
    assert "--app-port" in lines[1]
    assert f"port {ports.sidecar_grpc} " in lines[0]
    assert "--sidecar-grpc-port" in lines[0]
    assert f"(pid {os.getpid()})" in lines[0]


def test_one_port_for_two_services_is_refused() -> None:
    """Two services can't share a port, and both flags are named."""
    ports = free_ports(RNG, set())
    twice = changed(ports, {"budget": ports.app})
    with pytest.raises(PortTakenError, match="--budget-port and --app-port"):
        require_free(twice)


def test_drawn_ports_are_free_and_no_two_stacks_share_one() -> None:
    """Ports of several stacks are all different, and nothing listens on them."""
    taken: set[int] = set()
    stacks = [free_ports(RNG, taken) for _ in range(3)]
    drawn = [port for ports in stacks for port in asdict(ports).values()]
    assert len(set(drawn)) == len(drawn) == len(taken)
    assert all(map(is_free, drawn))


def test_only_what_is_asked_for_is_changed() -> None:
    """None leaves a documented port as it is."""
    assert changed(Ports(), {"app": 9000, "budget": None}) == Ports(app=9000)
