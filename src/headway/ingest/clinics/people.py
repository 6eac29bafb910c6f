"""People of a clinic as keyed digests, by which a release is held against earlier ones."""

from __future__ import annotations

from pathlib import Path

from headway.ingest.clinics.contract import PROCESSED
from headway.tables.diary import read_table_sql
from headway.tables.engine import open_engine
from headway.tables.private import sign


def sign_people(made: Path, secret: bytes) -> dict[str, str]:
    """Sign everything that is recorded of each person, wherever it stood in its file.

    Parameters
    ----------
    made
        Folder of a clinic's processed tables.
    secret
        `headway.tables.private.read_secret` of the data folder.

    Returns
    -------
    dict
        Digest of a person's code -> digest of the records.
    """
    people: dict[str, list[str]] = {}
    with open_engine(near=made) as connection:
        for table in PROCESSED:
            source = read_table_sql(made, table)
            described = connection.execute(f"SELECT * FROM {source} LIMIT 0").description
            columns = [d[0] for d in described]
            own = ", ".join(f'"{c}"' for c in columns if c not in ("line", "patient_id"))
            rows = connection.execute(
                f"SELECT patient_id, md5(string_agg(told, '|' ORDER BY told)) FROM (SELECT "
                f"patient_id, CAST(row({own}) AS VARCHAR) AS told FROM {source}) "
                "GROUP BY patient_id"
            ).fetchall()
            for code, told in rows:
                people.setdefault(str(code), []).append(f"{table} {told}")
    return {sign(secret, "code", c): sign(secret, c, *told) for c, told in people.items()}
