import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from hypothesis import given

from lab.money import parse_usd
from lab.projection.assumptions import Assumptions
from lab.projection.document import decimal_text, money_document, project_document
from lab.projection.project import project
from tests.lab.projection.cases import CASES

MONEY = {"usd", "nano_usd"}


def values(document: Any) -> Iterator[Any]:
    """Give every value of a document, at every depth."""
    yield document
    parts = document.values() if isinstance(document, dict) else document
    if isinstance(document, dict | list):
        for part in parts:
            yield from values(part)


@given(CASES)
def test_money_is_a_pair_that_agrees_and_nothing_is_a_float(case: Assumptions) -> None:
    """In every document, at every depth."""
    document = project_document([project(case)])
    seen = list(values(json.loads(json.dumps(document))))
    assert not any(isinstance(value, float) for value in seen)
    pairs = [value for value in seen if isinstance(value, dict) and "usd" in value]
    assert len(pairs) > 10
    for pair in pairs:
        assert pair.keys() == MONEY
        dollars, nano = pair["usd"].split(".")
        assert int(dollars) * 10**9 + int(nano) == pair["nano_usd"]
        assert len(nano) == 9


def test_money_is_written_with_nine_decimals() -> None:
    """As every service of the house writes it."""
    assert money_document(14_660_000) == {"usd": "0.014660000", "nano_usd": 14_660_000}
    assert parse_usd(money_document(1)["usd"]) == 1


def test_durations_are_plain_decimal_text() -> None:
    """Without an exponent, and without zeros that say nothing."""
    texts = [decimal_text(Fraction(text)) for text in ("10", "0.3", "86400", "0", "0.001")]
    assert texts == ["10", "0.3", "86400", "0", "0.001"]


def test_the_published_figures_stand_in_every_document() -> None:
    """Both readings of the monthly one, with what each takes for granted."""
    published = {reading["name"]: reading for reading in project_document([])["published"]}
    assert published["single"]["per_day"]["cost"]["usd"] == "259.200000000"
    assert published["scale-003"]["per_month"]["cost"]["usd"] == "38880.000000000"
    assert published["scale-030"]["per_month"]["cost"]["usd"] == "388800.000000000"
    assert published["scale-030"]["reached_after_days"] == "3"
    assert all(reading["assumptions"] for reading in published.values())
