"""The pictures of the report: pure functions from evidence to shapes, which a template makes SVG.

Each picture is drawn for two widths, so that its words stay legible on a phone. What tells two
things apart is never their colour alone.
"""

from lab.pictures.executions import draw_executions
from lab.pictures.layout import LAYOUTS, Layout
from lab.pictures.month import draw_month
from lab.pictures.shapes import Picture
from lab.pictures.spend import draw_spend
from lab.pictures.workflows import draw_workflows

__all__ = [
    "LAYOUTS",
    "Layout",
    "Picture",
    "draw_executions",
    "draw_month",
    "draw_spend",
    "draw_workflows",
]
