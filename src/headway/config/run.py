"""The settings of a run: `config/config.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from headway.config.schema import About

FolderName = Annotated[str, About(pattern=r"^[^/\\]+$")]
Selection = Literal["all"] | tuple[FolderName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run reads and where it writes."""

    data_dir: Annotated[
        str,
        About("Folder with raw/trials and raw/clinics; processed/ is beside raw/.", least=1),
    ] = "data"
    results_dir: Annotated[str, About("Folder for everything that may be shown.", least=1)] = (
        "results"
    )
    trials: Annotated[Selection, About("Reviews to run: all, or a list of names.")] = "all"
    clinics: Annotated[Selection, About("Clinics to run: all, or a list of names.")] = "all"
    memory_gb: Annotated[
        float,
        About(
            "Memory that DuckDB may take in a clinic's job before it goes to disk. The tables of a "
            "large clinic stand beside it.",
            unit="GB",
            low=0.5,
        ),
    ] = 2
    notebooks: Annotated[bool, About("Whether to execute the notebooks.")] = True
    manuscripts: Annotated[
        Literal["none", "own", "en", "es", "de"],
        About(
            "Language of each review's files for a journal (`own`: the review's). `none`: they are "
            "written only where `snakemake manuscript` asks for them, since that takes minutes."
        ),
    ] = "none"
