"""Prints figures beside what they are held to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: What was measured.
        value: The measure.
        unit: Its unit.
        held_to: What real Dapr did, or a limit; None where there is neither.
    """

    name: str
    value: float
    unit: str
    held_to: float | None = None

    def line(self) -> str:
        """Return a line of the table."""
        beside = ""
        if self.held_to is not None:
            beside = f"{self.held_to:12.2f}{self.value / self.held_to:8.2f}"
        return f"  {self.name:26}{self.value:12.2f} {self.unit:12}{beside}"

    def json(self) -> dict[str, object]:
        """Return the figure for a program."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "held_to": self.held_to,
        }


HEAD = f"  {'':26}{'embedded':>12} {'':12}{'held to':>12}{'ratio':>8}"
