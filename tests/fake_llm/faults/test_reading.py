from typing import Any

import pytest

from fake_llm.errors import BadFaultError
from fake_llm.faults import KINDS, read_faults
from fake_llm.faults.fail import Fail
from fake_llm.faults.reading import MAX_FAULTS, read_header


def test_a_fault_is_its_kind_and_its_attributes() -> None:
    """What is not said has its default."""
    document = {"kind": "fail", "status": 429, "times": 2, "model": "gpt-*", "retry_after_s": 0.5}
    assert read_faults([document], KINDS) == [
        Fail(status=429, times=2, model="gpt-*", retry_after_s=0.5)
    ]


def test_every_bad_field_of_every_fault_is_named() -> None:
    """With the position of its fault."""
    documents: list[dict[str, Any]] = [
        {"kind": "fail", "status": 200, "probability": 0, "times": 0, "colour": "red"},
        {"kind": "fail", "status": 500},
        {"kind": "fial"},
        {"status": 500},
    ]
    with pytest.raises(BadFaultError) as caught:
        read_faults(documents, KINDS)
    places = [problem.partition(":")[0] for problem in caught.value.problems]
    assert sorted(places) == [
        *("0.colour", "0.probability", "0.status", "0.times", "2.kind", "3.kind")
    ]


def test_faults_are_bounded_in_number() -> None:
    """Each call looks at every one."""
    with pytest.raises(BadFaultError, match="at most"):
        read_faults([{"kind": "fail", "status": 500}] * (MAX_FAULTS + 1), KINDS)


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        ("fail status=503", [Fail(status=503)]),
        ("fail status=429 retry_after_s=2;", [Fail(status=429, retry_after_s=2)]),
        (
            "fail status=500 probability=0.5; fail status=429 message='slow; down'",
            [Fail(status=500, probability=0.5), Fail(status=429, message="slow; down")],
        ),
        ("", []),
    ],
)
def test_a_header_names_faults_and_their_attributes(header: str, faults: list[Fail]) -> None:
    """Separated by semicolons, quoted as in a shell."""
    assert read_header(header, KINDS) == faults


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("fail", "status"),
        ("fail status", "name=value"),
        ("fail status=500 times=2", "times: not in a header"),
        ("fail status=500 model=x", "PUT /faults"),
        ("fail status='500", "quote"),
        ("nonsense", "none of fail"),
    ],
)
def test_a_bad_header_says_what_is_wrong(header: str, words: str) -> None:
    """What stays over several requests is not for a header."""
    with pytest.raises(BadFaultError, match=words):
        read_header(header, KINDS)
