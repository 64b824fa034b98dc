"""The price files that come with the lab, by name; any other is named by its path."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "prices"


def price_file_names() -> list[str]:
    """Return the names of the price files that come with the lab."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def price_file_path(name: str) -> Path:
    """Return the file of that name, or the path itself."""
    return _FOLDER / f"{name}.yaml" if name in price_file_names() else Path(name).resolve()
