"""docs/sidecar.md against what the sidecar serves."""

import re

import pytest

from sidecar.profiles import PROFILES
from sidecar.protos import service_pb2
from tests.support.services import ROOT

TEXT = (ROOT / "docs" / "sidecar.md").read_text(encoding="utf-8")
HTTP = "".join(each.read_text() for each in (ROOT / "sidecar" / "http").glob("*.py"))
SERVICE = service_pb2.DESCRIPTOR.services_by_name["TaskHubSidecarService"]


@pytest.mark.parametrize("method", [each.name for each in SERVICE.methods])
def test_each_grpc_call_is_in_the_table(method: str) -> None:
    """Every method of the service is named."""
    assert f"`{method}`" in TEXT


@pytest.mark.parametrize("code", sorted(set(re.findall(r"ERR_[A-Z_]+", HTTP))))
def test_each_error_code_is_in_the_table(code: str) -> None:
    """Every `errorCode` that the HTTP routes answer is named."""
    assert f"`{code}`" in TEXT


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_is_in_the_table_of_versions(name: str) -> None:
    """With its origin, where nobody recorded it."""
    head = re.search(r"^\| \| 1\.15.*$", TEXT, re.MULTILINE)
    assert head is not None
    mark = " *(source)*" if PROFILES[name].origin == "from source" else ""
    assert re.search(rf"[ ,]{re.escape(name + mark)}[ ,]", head[0])
