"""What a server may keep of the rows that it scores."""

from __future__ import annotations

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration


class ServedLog(Declaration):
    """A log of served rows, which a server keeps where LEPTON_SERVED_LOG names a folder."""

    hashed: list[str] = Field([], description="columns of which a hash is kept instead of the value")
    dropped: list[str] = Field([], description="columns that are not kept")
    megabytes: int = Field(1000, ge=20, description="size of the folder, whose oldest files are removed")
    days: int = Field(90, ge=1, description="days after which a file is removed")

    @model_validator(mode="after")
    def _either(self) -> ServedLog:
        if twice := [name for name in self.hashed if name in self.dropped]:
            raise ValueError(f"column {twice[0]!r} is declared as hashed and dropped; keep one")
        return self
