"""The operator's own prices, in YAML; every bad field is named at once.

    models:
      my-model:
        input_usd_per_million: "30"
        cached_usd_per_million: "3"
        cache_write_usd_per_million: "37.5"
        cache_write_1h_usd_per_million: "60"
        output_usd_per_million: "60"

Amounts are quoted decimal text or whole dollars. The three about the cache may be left out: tokens
read from it or written to it then cost what input tokens cost, those written for one hour what
other writes cost.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from metering.errors import MoneyError, PriceFileError
from metering.money import parse_usd


def _rate(value: Any) -> int:
    rate = parse_usd(value)
    if rate < 0:
        raise MoneyError(f"{value!r} is negative")
    return rate


_Rate = Annotated[int, BeforeValidator(_rate)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd_per_million: _Rate
    output_usd_per_million: _Rate
    cached_usd_per_million: _Rate | None = None
    cache_write_usd_per_million: _Rate | None = None
    cache_write_1h_usd_per_million: _Rate | None = None


class FilePrice(BaseModel):
    """Rates of one model in nano-dollars per million tokens; None as in `UnitPrice`."""

    model_config = ConfigDict(frozen=True)

    input: int
    cached: int
    output: int
    cache_write: int | None = None
    cache_write_1h: int | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: Annotated[dict[str, _Entry], Field(min_length=1)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # as the base class has it
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key!r} stands twice")
        return super().construct_mapping(node, deep)


def read_price_file(path: Path) -> dict[str, FilePrice]:
    """Read the prices by model name.

    Raises:
        PriceFileError: Unreadable, no YAML, or fields that are missing, unknown or no amounts.
    """
    try:
        parsed = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506  # a SafeLoader
        entries = _File.model_validate(parsed).models
    except OSError as error:
        raise PriceFileError(path, [f"can't be read: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PriceFileError(path, [f"is no YAML: {' '.join(str(error).split())}"]) from None
    except ValidationError as error:
        raise PriceFileError(path, _problems(error)) from None
    return {model: _price(entry) for model, entry in entries.items()}


def _price(entry: _Entry) -> FilePrice:
    rate = entry.input_usd_per_million
    cached = entry.cached_usd_per_million
    return FilePrice(
        input=rate,
        cached=rate if cached is None else cached,
        output=entry.output_usd_per_million,
        cache_write=entry.cache_write_usd_per_million,
        cache_write_1h=entry.cache_write_1h_usd_per_million,
    )


def _problems(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, problem['loc'])) or 'file'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False)
    ]
