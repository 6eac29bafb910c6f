"""The contract of every table that the pipeline writes: columns, types, units, allowed values.

`TABLES` is the data dictionary (docs/tables.md is written from it); `validate` holds a DataFrame
against it with pandera and reports every broken rule at once, without cell values.
"""

from headway.tables.care import SAFETY
from headway.tables.columns import (
    COMPARATORS,
    CONSTANT,
    COUNT,
    KEY,
    OUTCOMES,
    PUBLISHED,
    ROW_LEVEL,
    SETTINGS,
    STATUSES,
    TECHNIQUES,
    TEXT,
    Column,
    Disclosure,
    Table,
)
from headway.tables.contracts import RELEASED, TABLES
from headway.tables.currencies import CURRENCIES
from headway.tables.files import (
    conform,
    count_rows,
    empty,
    open_stored,
    read_categories,
    read_csv,
    read_older_csv,
    read_parquet,
    replacing,
    replacing_folder,
    settle_texts,
    stack,
    validate,
    write_csv,
    write_parquet,
    write_text,
)
from headway.tables.reviews import CONTRAST_SIGNS, DESIGNS, SPREAD_LABELS
from headway.tables.texts import guard, make_name, printable, unguard

__all__ = [
    "COMPARATORS",
    "CONSTANT",
    "CONTRAST_SIGNS",
    "COUNT",
    "CURRENCIES",
    "DESIGNS",
    "KEY",
    "OUTCOMES",
    "PUBLISHED",
    "RELEASED",
    "ROW_LEVEL",
    "SAFETY",
    "SETTINGS",
    "SPREAD_LABELS",
    "STATUSES",
    "TABLES",
    "TECHNIQUES",
    "TEXT",
    "Column",
    "Disclosure",
    "Table",
    "conform",
    "count_rows",
    "empty",
    "guard",
    "make_name",
    "open_stored",
    "printable",
    "read_categories",
    "read_csv",
    "read_older_csv",
    "read_parquet",
    "replacing",
    "replacing_folder",
    "settle_texts",
    "stack",
    "unguard",
    "validate",
    "write_csv",
    "write_parquet",
    "write_text",
]
