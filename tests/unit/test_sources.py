"""Which folders are clinics and reviews, and what is said of those that are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headway import config
from headway.errors import ConfigError

YAML = (
    "schema_version: 1\nid: {id}\ntitle: T\nsource: made up\nlicence: none\n"
    "files: {{diary: {{path: '{path}', columns: {{patient_id: code}}}}}}\n"
)


def make(data: Path, name: str, path: str = "d.csv", kind: str = "clinics", **more: str) -> Path:
    """Make a folder with settings and the file that they name."""
    folder = data / "raw" / kind / name
    folder.mkdir(parents=True)
    document = {"clinics": "clinic.yaml", "trials": "review.yaml"}[kind]
    (folder / document).write_text(YAML.format(id=more.get("id", name), path=path))
    (folder / "d.csv").write_text("code\n1\n")
    return folder


def find(data: Path, kind: str = "clinics") -> dict[str, config.Source]:
    """Find sources by name."""
    return {source.name: source for source in config.find_sources(data, kind)}


NAMES = {
    "My Clinic": "my_clinic",
    "klinik-süd": "klinik_sud",
    "UPPER": "upper",
    ".hidden": "hidden",
    "a{b}": "a_b",
    "{clinic}": "clinic",
    "it's $(x)": "it_s_x",
    "a\nb": "a_b",
    "-x": "x",
    "頭痛": "clinic_1",
}


@pytest.mark.parametrize("kind", ["clinics", "trials"])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_whose_name_is_no_id_is_refused_alone(tmp_path, name, kind):
    folder = make(tmp_path, name, kind=kind)
    make(tmp_path, "neighbour", kind=kind)
    found = find(tmp_path, kind)
    assert found.pop("neighbour").ready
    ((_, source),) = found.items()
    (problem,) = source.problems
    assert (source.state, problem.rule) == ("refused", "folder_name")
    assert f"for example to {NAMES[name]}" in str(problem)
    assert str(problem).isprintable()
    with pytest.raises(ConfigError, match="for example to") as refused:
        config.check_folder(folder)
    assert refused.value.problems == (problem,)


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    raw = tmp_path / "raw" / "clinics"
    raw.mkdir(parents=True)
    try:
        os.mkdir(os.fsencode(raw) + b"/s\xfcd")  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes only text for names")
    (Path(os.fsdecode(os.fsencode(raw) + b"/s\xfcd")) / "clinic.yaml").write_text("a: 1\n")
    (source,) = config.find_sources(tmp_path, "clinics")
    assert str(source.problems[0]).encode("utf-8")


def test_the_name_of_a_folder_elsewhere_is_free(tmp_path):
    config.check_folder(tmp_path / "My Records")
    config.check_folder(make(tmp_path, "demo_2"))


@pytest.mark.parametrize(
    ("files", "rule", "words"),
    [
        (["diary.csv"], "no_settings", "clinic.yaml is missing; nothing"),
        (["deep/er/diary.csv"], "no_settings", "clinic.yaml is missing; nothing"),
        (["clinic.yml", "d.csv"], "no_settings", "'clinic.yml' is not read"),
        (["Clinic.yaml"], "no_settings", "'Clinic.yaml' is not read"),
        (["clinic.yaml.txt"], "no_settings", "'clinic.yaml.txt' is not read"),
        (["clinic .yaml"], "no_settings", "'clinic .yaml' is not read"),
        (["review.yaml", "arms.csv"], "no_settings", "review.yaml does not belong here"),
        (["clinic.yaml/d.csv"], "no_settings", "clinic.yaml is missing; nothing"),
    ],
)
def test_files_without_settings_are_named(tmp_path, files, rule, words):
    for name in files:
        path = tmp_path / "raw" / "clinics" / "forgotten" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n")
    source = find(tmp_path)["forgotten"]
    assert (source.state, source.problems[0].rule) == ("unread", rule)
    assert words in str(source.problems[0])
    assert source.problems[0].remedy


@pytest.mark.parametrize(
    "files", [[], ["README.md"], ["readme.txt", "LICENSE", ".gitkeep"], ["old/README.md"]]
)
def test_a_folder_without_data_is_not_mentioned(tmp_path, files):
    folder = tmp_path / "raw" / "clinics" / "nothing"
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("hello\n")
    (folder.parent / "README.md").write_text("hello\n")
    (folder.parent / ".git").mkdir()
    (folder.parent / ".git" / "config").write_text("hello\n")
    assert find(tmp_path) == {}


def test_a_file_beside_the_folders_is_named(tmp_path):
    make(tmp_path, "one")
    (tmp_path / "raw" / "clinics" / "diary.csv").write_text("a\n")
    (tmp_path / "raw" / "clinics" / "nowhere").symlink_to("/does/not/exist")
    found = find(tmp_path)
    assert found["one"].ready
    assert found["diary.csv"].problems[0].rule == "loose_file"
    assert found["nowhere"].state == "unread"


def test_a_linked_folder_is_one(tmp_path):
    folder = make(tmp_path, "one", id="two")
    (tmp_path / "raw" / "clinics" / "two").symlink_to(folder, target_is_directory=True)
    assert find(tmp_path)["two"].ready


def test_settings_of_another_folder_are_said(tmp_path):
    make(tmp_path, "copied", id="demo")
    source = find(tmp_path)["copied"]
    assert source.ready
    assert "write 'id: copied'" in str(source.problems[0])


@pytest.mark.parametrize("broken", ["a: \x07\n", "a: 1\na: 2\n", "\ta", "", "- 1\n", "a: [1\n"])
def test_settings_that_cannot_be_read_are_left_to_their_own_job(tmp_path, broken):
    folder = make(tmp_path, "broken")
    (folder / "clinic.yaml").write_text(broken)
    make(tmp_path, "neighbour")
    found = find(tmp_path)
    assert found["broken"].files == (folder / "clinic.yaml",)
    assert all(source.ready for source in found.values())


def test_what_stands_in_a_files_place_and_is_none(tmp_path):
    (make(tmp_path, "folder") / "d.csv").unlink()
    (tmp_path / "raw/clinics/folder/d.csv").mkdir()
    pipe = make(tmp_path, "pipe") / "d.csv"
    pipe.unlink()
    os.mkfifo(pipe)
    link = make(tmp_path, "link") / "d.csv"
    link.unlink()
    link.symlink_to("/does/not/exist")
    make(tmp_path, "long_name", path="x" * 300)
    found = find(tmp_path)
    assert {name: s.state for name, s in found.items()} == {
        "folder": "refused",
        "pipe": "refused",
        "link": "waiting",
        "long_name": "waiting",
    }
    assert found["pipe"].problems[0].rule == "not_a_file"


@pytest.mark.parametrize("path", ["../one/d.csv", "/etc/hostname", "a/../d.csv", ".."])
def test_a_path_reaches_no_file_outside_the_folder(tmp_path, path):
    make(tmp_path, "one")
    folder = make(tmp_path, "two", path=path)
    assert find(tmp_path)["two"].files == (folder / "clinic.yaml",)


def test_a_folder_that_may_not_be_opened_stops_no_other(tmp_path, monkeypatch):
    make(tmp_path, "closed")
    make(tmp_path, "open")
    is_file = Path.is_file

    def look(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", look)
    found = find(tmp_path)
    assert found["open"].ready
    # Its job will say that the machine may not open it, and be tried again.
    assert found["closed"].ready
