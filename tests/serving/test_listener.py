import socket

import pytest

from serving.errors import StartError
from serving.listener import listen, require_free
from tests.support.ports import free_port


def test_a_free_port_is_listened_on() -> None:
    """What `listen` returns accepts connections at once."""
    port = free_port()
    with listen("127.0.0.1", port, prefix="TOY_"):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_taken_port_names_its_setting() -> None:
    """The refusal says which port and which variable changes it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"^TOY_PORT={port}: can't listen on 127\.0\.0\.1"):
            listen("127.0.0.1", port, prefix="TOY_")


def test_an_unknown_host_names_its_setting() -> None:
    """A host that means nothing is the host's fault, not the port's."""
    with pytest.raises(StartError, match=r"^TOY_HOST=no\.such\.host\.invalid: "):
        listen("no.such.host.invalid", 1, prefix="TOY_")


def test_requiring_a_free_port_leaves_it_free() -> None:
    """The check takes nothing away from the library that binds next."""
    port = free_port()
    require_free("127.0.0.1", port, prefix="TOY_", port_name="GRPC_PORT")
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StartError, match="TOY_GRPC"):
        require_free("127.0.0.1", port, prefix="TOY_", port_name="GRPC_PORT")
