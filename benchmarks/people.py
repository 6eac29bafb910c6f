"""A clinic of any number of people: a simulated one, laid side by side under new ids.

    python -m benchmarks.people FOLDER --people 1000000

The simulator makes up to 10 000 people; larger clinics repeat them in blocks. Each block has ids of
its own, and by a seeded hash one diary entry and one session in 40 are left out and every age is
moved by up to 2 years, so that no block repeats another. Files are written by DuckDB in about 3 s
for each 100 000 people.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

BLOCK = 10_000
LEFT_OUT = 40


def make_clinic(
    folder: Path, people: int, *, seed: int = 20260101, scenario: str = "real_effect"
) -> Path:
    """Write the raw files and clinic.yaml of a synthetic clinic.

    Parameters
    ----------
    folder
        Folder to write; its name becomes the clinic's id.
    people
        How many people; above 10 000 a multiple of 10 000.
    seed, scenario
        Of the simulator; the seed decides what is left out of the later blocks, too.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    ValueError
        Above 10 000 people, if their number is no multiple of 10 000.
    """
    from headway.simulate import simulate_clinic, write_clinic, write_settings

    if people > BLOCK and people % BLOCK:
        raise ValueError(f"above {BLOCK} people their number must be a multiple of {BLOCK}")
    one = simulate_clinic(n_patients=min(people, BLOCK), scenario=scenario, seed=seed)
    if people <= BLOCK:
        write_clinic(one, folder)
        write_settings(one, folder, folder.name)
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        block = Path(scratch) / folder.name
        write_clinic(one, block)
        write_settings(one, block, folder.name)
        _tile(block, folder, people // BLOCK, seed)
    return folder


def _tile(block: Path, folder: Path, blocks: int, seed: int) -> None:
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    text = (block / "clinic.yaml").read_text(encoding="utf-8")
    said = f"{BLOCK} people"
    text = text.replace(said, f"{blocks * BLOCK} people (in blocks of {BLOCK})")
    (folder / "clinic.yaml").write_text(text, encoding="utf-8")
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": ""}) as connection:
        for path in sorted(block.glob("*.csv")):
            source = str(path).replace("'", "''")
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE one AS SELECT * FROM read_csv("
                f"'{source}', all_varchar = true, header = true)"
            )
            columns = [row[0] for row in connection.execute("DESCRIBE one").fetchall()]
            # A block at a time: all of them at once are held before they are written.
            with (folder / path.name).open("wb") as stream:
                for b in range(blocks):
                    rows = _read_block(path.stem, columns, b, seed)
                    connection.execute(
                        f"COPY ({rows}) TO '{source}.part' (FORMAT csv, HEADER {b == 0})"
                    )
                    with Path(f"{path}.part").open("rb") as part:
                        shutil.copyfileobj(part, stream, 1 << 20)


def _read_block(kind: str, columns: list[str], b: int, seed: int) -> str:
    """Write SQL for the rows of block `b` of a file, out of its table `one`."""
    # Letters, so that an id is not read as a number of another kind.
    chosen = [f"code || '{chr(65 + b // 26)}{chr(65 + b % 26)}' AS code"]
    for column in columns[1:]:
        moved = (
            f"coalesce((try_cast(age_years AS INT) + (hash(code, {b}::BIGINT, {seed}) % 5)::INT "
            "- 2)::VARCHAR, age_years) AS age_years"
        )
        chosen.append(moved if b and column == "age_years" else f'"{column}"')
    sql = f"SELECT {', '.join(chosen)} FROM one"
    if b and kind in ("diary", "sessions"):
        day = "day" if kind == "diary" else "visit_day"
        sql += f" WHERE {day} = '0' OR hash(code, {day}, {b}::BIGINT, {seed}) % {LEFT_OUT} > 0"
    return sql


def main() -> None:
    """Write the clinic that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20260101)
    asked = parser.parse_args()
    print(make_clinic(asked.folder, asked.people, seed=asked.seed))


if __name__ == "__main__":
    main()
