"""What a runaway costs, what it becomes and what stops it, in closed form: pure, without floats."""

from lab.projection.assumptions import PRESETS, Assumptions, StateLoss
from lab.projection.extrapolation import Extrapolation, extrapolate
from lab.projection.outcomes import Measure, Outcome
from lab.projection.project import Growth, Projection, project
from lab.projection.published import PUBLISHED, PublishedReading
from lab.projection.volume import Volume

__all__ = [
    "PRESETS",
    "PUBLISHED",
    "Assumptions",
    "Extrapolation",
    "Growth",
    "Measure",
    "Outcome",
    "Projection",
    "PublishedReading",
    "StateLoss",
    "Volume",
    "extrapolate",
    "project",
]
