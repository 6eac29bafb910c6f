"""A run as a Workflow Run RO-Crate: what provenance.json says, in terms that archives read.

RO-Crate 1.1; profile Workflow Run Crate 0.5 (Leo et al., PLoS ONE 2024;19:e0309210). No time of the
run stands in it, so that two runs are the same; it is dated by its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENSE = "https://spdx.org/licenses/MIT"
MAIN = "workflow/Snakefile"


def build(
    record: Mapping[str, Any],
    sources: Mapping[str, Mapping[str, str]],
    pages: Sequence[str],
    code: Sequence[str],
    date: str,
) -> str:
    """Write ro-crate-metadata.json for the results folder.

    Parameters
    ----------
    record
        provenance.json.
    sources
        For trials and clinics: the title of each source that has a folder of results, by its name.
    pages
        Pages, and provenance.json, by their paths below the results folder.
    code
        Files of the workflow that were copied there; one is `MAIN`.
    date
        Date of the code's commit, ISO 8601.
    """
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(CONTEXT)

    def note(id: str, **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, id, properties=properties))

    crate.name = "Headway: results of a run"
    crate.description = (
        "Reviews with pooled estimates and verdicts, and audits of clinics that have passed "
        "disclosure control. No time of the run is kept: equal runs give equal files."
    )
    crate.datePublished = date
    crate.license = note(
        LICENSE,
        **{"@type": "CreativeWork"},
        name="MIT License",
        description="Of the program and the pages it writes; data keep the terms of their source.",
    )
    crate.root_dataset["conformsTo"] = [
        note(id, **{"@type": "CreativeWork"}, name=name, version=version)
        for id, (name, version) in PROFILES.items()
    ]

    software = [
        note(f"#{name}", **{"@type": "SoftwareApplication"}, name=name, softwareVersion=version)
        for name, version in (
            ("headway", record["headway"]),
            ("python", record["python"]),
            *record["packages"].items(),
        )
    ]
    workflow = crate.add_workflow(
        dest_path=MAIN, main=True, lang="snakemake", lang_version=record["packages"]["snakemake"]
    )
    workflow["name"] = "Headway: outcomes research for headache and trigger point care"
    workflow["version"] = record["headway"]
    workflow["license"] = crate.license
    workflow["softwareRequirements"] = software
    workflow["encodingFormat"] = "text/plain"
    workflow["hasPart"] = [
        crate.add_file(dest_path=path, properties={"name": path, "encodingFormat": "text/plain"})
        for path in sorted(code)
        if path != MAIN
    ]
    settings = [
        (
            note(
                f"#parameter/{name}",
                **{"@type": "FormalParameter"},
                additionalType="Text",
                name=name,
                conformsTo={"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
            ),
            name,
            value,
        )
        for name, value in sorted(record["settings"].items())
    ]
    workflow["input"] = [parameter for parameter, _, _ in settings]

    # Raw files stay where they are; only their names and digests are here.
    used = [
        note(
            f"#input/{path}",
            **{"@type": "CreativeWork"},
            name=path,
            description=f"{_name_digest(path, record['digests'])}: {digest}",
        )
        for path, digest in sorted(record["inputs"].items())
    ]
    given = [
        note(
            f"#setting/{name}",
            **{"@type": "PropertyValue"},
            name=name,
            value=value if isinstance(value, str) else json.dumps(value, sort_keys=True),
            exampleOfWork=parameter,
        )
        for parameter, name, value in settings
    ]
    folders = [
        crate.add_directory(
            dest_path=f"{kind}/{name}/",
            properties={"name": title, "description": "Pages, figures and tables of one source."},
        )
        for kind, found in sorted(sources.items())
        for name, title in sorted(found.items())
    ]
    files = [
        crate.add_file(
            dest_path=path, properties={"name": path, "encodingFormat": _name_format(path)}
        )
        for path in sorted(pages)
    ]
    action = crate.add_action(
        workflow,
        identifier="#run",
        object=[*used, *given],
        result=[*folders, *files],
        properties={
            "name": "The run that made these results",
            "description": "From raw files to pages. provenance.json says the same more briefly.",
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    crate.root_dataset["mentions"] = action
    return json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"


def _name_digest(path: str, digests: Mapping[str, str]) -> str:
    """Say how a file's digest was made; provenance.json names the folders."""
    found = [how for folder, how in digests.items() if path.startswith(f"{folder}/")]
    return found[0] if found else digests["others"]


def _name_format(path: str) -> str:
    return {"html": "text/html", "json": "application/json", "pdf": "application/pdf"}[
        path.rsplit(".", 1)[-1]
    ]
