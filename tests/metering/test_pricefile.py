from pathlib import Path

import pytest

from metering.errors import PriceFileError
from metering.pricefile import FilePrice, read_price_file
from metering.prices import PriceBook
from metering.usage import Usage


def _read(tmp_path: Path, text: str) -> dict[str, FilePrice]:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    return read_price_file(file)


def test_rates_are_read_in_nano_dollars_per_million(tmp_path: Path) -> None:
    """$0.135 a million tokens is 135,000,000 nano-dollars a million tokens."""
    text = """
    models:
      a: {input_usd_per_million: "0.135", cached_usd_per_million: "0.05", output_usd_per_million: 2}
    """
    assert _read(tmp_path, text) == {
        "a": FilePrice(input=135_000_000, cached=50_000_000, output=2_000_000_000)
    }


def test_the_cache_has_three_rates(tmp_path: Path) -> None:
    """Reading it, writing to it, and writing to it for one hour."""
    text = """
    models:
      a:
        input_usd_per_million: 3
        cached_usd_per_million: "0.3"
        cache_write_usd_per_million: "3.75"
        cache_write_1h_usd_per_million: 6
        output_usd_per_million: 15
    """
    file = FilePrice(
        input=3_000_000_000,
        cached=300_000_000,
        output=15_000_000_000,
        cache_write=3_750_000_000,
        cache_write_1h=6_000_000_000,
    )
    assert _read(tmp_path, text) == {"a": file}
    (tmp_path / "prices.yaml").write_text(text)
    usage = Usage(1000, 100, 40, 150, 50)
    assert PriceBook(tmp_path / "prices.yaml").unit_price("a").cost(usage) == 3_592_500


def test_every_bad_field_is_named_at_once(tmp_path: Path) -> None:
    """One error tells of all that is wrong, so that one edit mends it."""
    text = """
    models:
      a: {input_usd_per_million: 0.135, output_usd_per_million: "-2"}
      b: {input_usd_per_million: "1e3", output_usd: "2"}
    """
    with pytest.raises(PriceFileError) as caught:
        _read(tmp_path, text)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "models.a.input_usd_per_million",
        "models.a.output_usd_per_million",
        "models.b.input_usd_per_million",
        "models.b.output_usd_per_million",
        "models.b.output_usd",
    ]
    assert "write dollars as text" in caught.value.problems[0]


@pytest.mark.parametrize(
    "text", ["", "models: {}", "models: [", "[]", "models: {a: 3}", "modells: {}", "\x00"]
)
def test_a_file_without_prices_is_refused(tmp_path: Path, text: str) -> None:
    """Empty, misspelt and malformed files are errors that name the file."""
    with pytest.raises(PriceFileError, match=r"prices\.yaml"):
        _read(tmp_path, text)


def test_a_model_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML would silently keep the second of two prices."""
    line = "  a: {input_usd_per_million: 1, output_usd_per_million: 1}\n"
    with pytest.raises(PriceFileError, match="'a' stands twice"):
        _read(tmp_path, "models:\n" + line + line)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error tells which file could not be read and why."""
    with pytest.raises(PriceFileError, match=r"none\.yaml: can't be read: No such file"):
        read_price_file(tmp_path / "none.yaml")
