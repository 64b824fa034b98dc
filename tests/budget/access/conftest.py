"""Gateways that ask for keys."""

from collections.abc import Iterator

import pytest

from tests.budget.access.keyed import ADMIN_KEY, Keys
from tests.budget.gateways import Provider, RunningGateway, gateway


@pytest.fixture(scope="package")
def pair(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Give two gateways on one store."""
    folder = tmp_path_factory.mktemp("pair")
    url = f"redis://127.0.0.1:{durable_port}/{next(databases)}"
    settings = {"BUDGET_ADMIN_KEY": ADMIN_KEY, "BUDGET_CAP_USD": "1000"}
    with (
        gateway(folder, url, provider, **settings) as first,
        gateway(folder, url, provider, **settings) as second,
    ):
        yield first, second


@pytest.fixture
def keyed(pair: tuple[RunningGateway, RunningGateway]) -> RunningGateway:
    """Give a gateway that asks for keys, with an application of the test's own."""
    return pair[0].for_another_test()


@pytest.fixture
def keys(keyed: RunningGateway) -> Keys:
    """Give its keys."""
    return Keys(keyed)
