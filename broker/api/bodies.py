"""Bodies that a partner sends: reading on a ground, answering with an outcome."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from broker.core.outcomes import OUTCOMES


class Body(BaseModel):
    """Bodies in lowerCamelCase; unknown members are refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True)


class Read(Body):
    """Reading is an act of its own, on a coded ground (ruling 9)."""

    ground: Literal["triage", "own_case", "supplement", "audit"]
    user_reference: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = None
    own_case_number: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9./_ -]{1,64}$")] = None


class Answer(Body):
    """What became of a referral; codes of docs/partners/answers.md."""

    outcome: Annotated[
        str, Field(pattern=r"^O\d\d$", examples=["O10"], json_schema_extra={"enum": sorted(OUTCOMES)})
    ]
    case_reference: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9./_ -]{1,64}$", examples=["BR.55.99.000001/2026"])
    ] = None
    gaps: Annotated[list[Annotated[str, Field(pattern=r"^Q(0[1-9]|[12]\d|30)$")]], Field(max_length=30)] = []
    suggest: Annotated[str | None, Field(pattern=r"^[A-Z]{2,3}$", description="Whose it is, for O72.")] = None
