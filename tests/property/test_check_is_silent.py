"""No cell of any file is repeated by the check, whatever stands in it."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.cli import main
from tests.unit.clinic_builder import write_clinic

# A cell that nothing else of the output could hold, in the shapes that cells have.
TOKENS = st.from_regex(r"[b-z]{5}[1-8]{3}[b-z]{2}", fullmatch=True)
FORMS = ("{}", "{}@example.org", "{} {}", "<{}", "{},5", "#{}", "'{}'", "12.{}", "{}/99")
COLUMNS = {
    "patient_id": "code",
    "day": "day",
    "headache": "headache",
    "intensity": {"column": "pain", "codes": {"a": 1}},
    "duration_hours": "hours",
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Rows of cells, some good and some hostile, with the tokens that stand in them."""
    tokens: list[str] = []
    rows = []
    for i in range(draw(st.integers(1, 12))):
        row = []
        for good in (f"P{i % 3}", str(i), "1", "a", "2.5", "x"):
            if draw(st.booleans()):
                row.append(good)
                continue
            token = draw(TOKENS)
            tokens.append(token)
            row.append(draw(st.sampled_from(FORMS)).replace("{}", token))
        rows.append(row)
    return tokens, rows


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.booleans(), st.sampled_from([";", "\t"]))
def test_the_check_repeats_no_cell(
    made: tuple[list[str], list[list[str]]], as_json: bool, delimiter: str
) -> None:
    tokens, rows = made
    head = ["code", "day", "headache", "pain", "hours", "other"]
    text = "".join(delimiter.join(row) + "\n" for row in [head, *rows])
    with tempfile.TemporaryDirectory() as scratch:
        spec = {"path": "d.csv", "delimiter": delimiter, "columns": COLUMNS}
        folder = write_clinic(Path(scratch) / "c", {"d.csv": text}, {"diary": spec})
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            code = main(["check", str(folder), *(["--json"] if as_json else [])])
    said = (out.getvalue() + err.getvalue()).lower()
    assert code in (0, 12, 13)
    assert not [token for token in tokens if token.lower() in said]
    if as_json:
        assert json.loads(out.getvalue())["state"] == ("ready" if code == 0 else "refused")
