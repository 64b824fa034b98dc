"""Fields that several views have."""

from typing import Annotated

from pydantic import Field

UsdText = Annotated[str, Field(description="Dollars with nine decimals", examples=["0.014660000"])]
