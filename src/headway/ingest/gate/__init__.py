"""The gate: refuse a clinic's file that can identify a person, before anything else reads it.

HIPAA Safe Harbor, 45 CFR 164.514(b)(2), by name and by content: of columns (`names`, `content`),
of files and sheets (`names`), of the texts of clinic.yaml and a workbook's properties (`texts`).
Each kind of identifier has a module: `patterns`, `checksums`, `dates`, `ages`, `places`,
`persons`, `categories`; what they know is data, in the YAML files beside them. A refusal names
file, column, rule, count and what to do, and never a value. Passing the gate is not a certificate
of de-identification: no list of patterns is.
"""

from typing import get_args

from headway.config.clinic import GateRule
from headway.ingest.gate.content import check_content
from headway.ingest.gate.kanonymity import measure_k
from headway.ingest.gate.names import check_file_name, check_header_cells, check_names
from headway.ingest.gate.texts import check_properties, check_texts

# Every rule that a problem of the gate may name.
RULES = (*get_args(GateRule), "k_anonymity")

__all__ = [
    "RULES",
    "check_content",
    "check_file_name",
    "check_header_cells",
    "check_names",
    "check_properties",
    "check_texts",
    "measure_k",
]
