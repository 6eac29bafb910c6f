"""A YAML file is read as it was typed, and what cannot be read is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import config
from headway.config.document import read_document
from headway.errors import ConfigError

FILES = "files: {diary: {path: d.csv, columns: {patient_id: a}}}\n"
HEAD = "schema_version: 1\nid: a\ntitle: T\nsource: made up\nlicence: none\n"


def write(folder: Path, text: str | bytes, name: str = "clinic.yaml") -> Path:
    """Write a settings file."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def clinic(folder: Path, codes: str = "{}", more: str = "", head: str = HEAD):
    """Read a clinic.yaml with these codes of a column and these other lines."""
    columns = f"{{patient_id: code, day: day, headache: {{column: h, codes: {codes}}}}}"
    write(folder, f"{head}files:\n  diary:\n    path: d.csv\n    columns: {columns}\n{more}")
    return config.load_clinic(folder).files["diary"][0]


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "no",
        "Yes",
        "NO",
        "on",
        "Off",
        "y",
        "n",
        "012",
        "1:30",
        "1_000",
        "2031-03-01",
        "~",
        "null",
        "true",
        "FALSE",
        "1.0",
        "4.10",
        ".5",
        "1e3",
        "0x1F",
        "=",
        ".inf",
        "-9",
        "sí",
    ],
)
def test_a_code_is_the_word_that_was_typed(tmp_path, word):
    assert dict(clinic(tmp_path, f"{{{word}: 1, other: 0}}").columns["headache"].codes) == {
        word: 1,
        "other": 0,
    }


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("true", "true"),
        ("~", "~"),
        ("null", "null"),
        ("012", "012"),
        ("4.10", "4.10"),
        ("1e3", "1e3"),
        ("1:30", "1:30"),
        ("2031-03-01", "2031-03-01"),
        ("99", 99),
        ("-9", -9),
        ("0.5", 0.5),
        ('"99"', "99"),
        ("'no'", "no"),
    ],
)
def test_cells_that_are_named_stay_as_typed(tmp_path, typed, read):
    more = f"    missing: [{typed}]\n    keep_where: {{arm: [{typed}]}}\n"
    entry = clinic(tmp_path, more=more)
    assert entry.missing == (read,)
    assert entry.keep_where["arm"] == (read,)
    assert type(entry.missing[0]) is type(read)


def test_codes_that_differ_as_text_are_two_codes(tmp_path):
    codes = clinic(tmp_path, "{4.1: 1, 4.10: 0}").columns["headache"].codes
    assert dict(codes) == {"4.1": 1, "4.10": 0}


@pytest.mark.parametrize("word", ["true", "~"])
def test_a_switch_where_a_value_belongs_is_refused_with_its_line(tmp_path, word):
    with pytest.raises(ConfigError) as refused:
        clinic(tmp_path, f"{{ja: {word}}}")
    (problem,) = refused.value.problems
    assert problem.line == 9
    assert "headache.codes.ja" in str(problem)
    assert "quotes" in str(problem)


@pytest.mark.parametrize("word", ["yes", "Yes", "on", "true", "TRUE", '"yes"'])
@pytest.mark.parametrize("off", ["no", "Off", "false", "False"])
def test_a_setting_may_be_switched_by_any_word(tmp_path, word, off):
    write(tmp_path, f"{HEAD}synthetic: {word}\n{FILES}")
    assert config.load_clinic(tmp_path).synthetic is True
    write(tmp_path, f"{HEAD}synthetic: {off}\n{FILES}")
    assert config.load_clinic(tmp_path).synthetic is False


def test_a_switch_deep_in_the_settings_and_a_grouped_number(tmp_path):
    write(
        tmp_path,
        f"{HEAD}bootstrap: {{replicates: 1_000, seed: 7}}\n"
        "files:\n  diary:\n    path: d.csv\n    columns: {patient_id: a}\n"
        "    offset_from: {column: b, shifted: yes}\n"
        "comparisons:\n  - {id: a, label: b, pre: baseline, post: post, primary: yes}\n",
    )
    read = config.load_clinic(tmp_path)
    assert read.bootstrap.replicates == 1000
    assert read.files["diary"][0].offset_from.shifted is True
    assert read.comparisons[0].primary is True


@pytest.mark.parametrize("number", ["012", "1:30", ".nan", ".inf", "1e999", "0x10"])
def test_a_number_that_is_none_is_refused_not_guessed(tmp_path, number):
    write(tmp_path, f"{HEAD}min_duration_h: {number}\n{FILES}")
    with pytest.raises(ConfigError, match="'min_duration_h' must be"):
        config.load_clinic(tmp_path)


TWICE = [
    ("disclosure: opensafely\ndisclosure: public\n", "disclosure", 2, 1),
    ("a:\n  b: {c: 1, d: 2,\n      c: 3}\n", "a.b.c", 3, 2),
    ("a:\n  - {b: 1}\n  - b: 1\n    'b': 2\n", "a.1.b", 4, 3),
    ("codes: {1: 0, '1': 1}\n", "codes.1", 1, 1),
    ("yes: 1\n'yes': 2\n", "yes", 2, 1),
]


@pytest.mark.parametrize(("text", "key", "line", "first"), TWICE)
def test_a_key_that_stands_twice_is_named_with_both_lines(tmp_path, text, key, line, first):
    with pytest.raises(ConfigError) as refused:
        read_document(write(tmp_path, text))
    (problem,) = refused.value.problems
    assert (problem.line, problem.rule) == (line, "key_twice")
    assert f"'{key}' appears here again; it is already on line {first}" in str(problem)


def test_a_key_of_an_anchor_may_be_written_over(tmp_path):
    path = write(tmp_path, "one: &one {a: 1, b: 2}\ntwo: {<<: *one, b: 3}\nthree: *one\n")
    assert read_document(path).content == {
        "one": {"a": 1, "b": 2},
        "two": {"a": 1, "b": 3},
        "three": {"a": 1, "b": 2},
    }


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: \x07\n", 2, "control character"),
        ("a: 1\n\tb: 2\n", 2, "a tab"),
        ("a: [1, 2\n", 2, "cannot be read"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: *b\n", 1, "no anchor"),
        ("a: 1\nb: &b [1, *b]\n", 2, "no anchor"),
        ("a: !!python/object/apply:os.getcwd []\n", 1, "tags"),
        ("a: !secret 1\n", 1, "tags"),
        ("a: !!timestamp 2031-13-45\n", 1, "tags"),
        ("a: 1\n? [b]\n: 2\n", 2, "not a single word"),
        ("<<: 1\n", 1, "not a single word"),
        (BOMB, 6, "more than 100000 values"),
        ("a: " + "[" * 100_000, 1, "deeper than 50 levels"),
        ("a:\n" + "".join(f"{' ' * i}- \n" for i in range(200)), 51, "deeper than 50 levels"),
        ("<<: {" * 900 + "}" * 900 + "\n", 1, "deeper than 50 levels"),
        ("a: " + "x" * 3_000_000, None, "larger than settings"),
    ],
)
def test_what_is_no_settings_file_is_refused_with_its_line(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as refused:
        read_document(write(tmp_path, text))
    (problem,) = refused.value.problems
    assert problem.line == line
    assert words in str(problem)
    assert problem.remedy


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "- 1\n- 2\n", "word\n", "12\n", "null\n"]
)
def test_a_file_without_keys_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="must hold a mapping"):
        read_document(write(tmp_path, text))


@pytest.mark.parametrize(
    "content",
    [
        "a: ü\n".encode("latin-1"),
        "a: b\n".encode("utf-16"),
        "a: b\n".encode("utf-16-le"),
        b"a: \xff\xfe\n",
        "a: b\n".encode("utf-32"),
    ],
)
def test_a_file_in_another_encoding_is_refused(tmp_path, content):
    with pytest.raises(ConfigError, match="UTF-8"):
        read_document(write(tmp_path, content))


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read_document(write(tmp_path, "\ufeffa: 1\n")).content == {"a": 1}


def test_a_folder_in_the_place_of_the_file_is_no_file(tmp_path):
    (tmp_path / "clinic.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"clinic\.yaml is missing"):
        read_document(tmp_path / "clinic.yaml")


def test_faults_of_the_schema_name_the_line(tmp_path):
    write(tmp_path, f"{HEAD}files:\n  diary:\n    path: d.csv\n    colums: {{}}\ncourse: 3\n")
    with pytest.raises(ConfigError) as refused:
        config.load_clinic(tmp_path)
    assert {(p.rule, p.line) for p in refused.value.problems} == {("unknown_key", 9), ("type", 10)}


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=12)


@given(st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9999, 9999)), min_size=1, max_size=5))
def test_what_is_written_in_quotes_is_read_back(tmp_path_factory, held):
    lines = [
        f"{quote(key)}: {quote(value) if isinstance(value, str) else value}\n"
        for key, value in held.items()
    ]
    path = write(tmp_path_factory.mktemp("yaml"), "".join(lines))
    assert read_document(path).content == held
    assert read_document(path, own=tuple(held)).content == held


def quote(text: str) -> str:
    """Write a text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = write(tmp_path_factory.mktemp("yaml"), text.encode("utf-8", "surrogatepass"))
    try:
        assert isinstance(read_document(path).content, dict)
    except ConfigError as error:
        assert_named(error)


def assert_named(error: ConfigError) -> None:
    """Hold a refusal against what a reader of it needs."""
    assert all(problem["text"] for problem in error.as_problems())
