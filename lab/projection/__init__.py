"""What a runaway costs, what it becomes and what stops it, in closed form: pure, without floats."""

from lab.projection.extrapolation import Extrapolation, extrapolate
from lab.projection.published import PUBLISHED, PublishedReading
from lab.projection.volume import Volume

__all__ = ["PUBLISHED", "Extrapolation", "PublishedReading", "Volume", "extrapolate"]
