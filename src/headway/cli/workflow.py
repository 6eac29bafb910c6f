"""The commands that run the workflow: audit, build and open."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from headway.cli.arguments import Command, Subparsers, add_cores, add_places
from headway.cli.places import (
    SETTINGS,
    Place,
    Source,
    find_place,
    locate,
    locate_own,
    refuse_elsewhere,
)
from headway.cli.screen import say, show
from headway.cli.threads import list_chosen
from headway.errors import InputError, MissingPackageError, Problem, RefusedError
from headway.messages import Message


def find_workflow() -> Path:
    """Find the folder of the Snakefile: this checkout's, or the copy that a wheel carries."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    return checkout if (checkout / "Snakefile").is_file() else package / "_workflow"


def run_workflow(place: Place, cores: str, *settings: str, snakefile: str = "Snakefile") -> int:
    """Run the workflow in the folder of the place, where it keeps its logs and its own notes.

    Raises
    ------
    MissingPackageError
        If Snakemake is not installed.
    """
    if find_spec("snakemake") is None:
        raise MissingPackageError("snakemake")
    home = find_workflow()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(home / snakefile)]
    command += ["--workflow-profile", str(home / "profiles" / "default"), "--cores", cores]
    # Names that are no default's are given in full: Snakemake takes a folder 2026 for a number.
    base = place.home or Path()
    for name, folder in (("data", place.data), ("results", place.results)):
        settings += (f"{name}_dir={name if folder == base / name else folder.resolve()}",)
    return _run([*command, "--config", *settings], place.home)


def run_for(source: Source, cores: str, *settings: str) -> int:
    """Run the workflow for one source alone."""
    names = {kind: [source.name] if kind == source.kind else [] for kind in SETTINGS}
    only = [f"{kind}={json.dumps(found)}" for kind, found in names.items()]
    return run_workflow(source.place, cores, *only, "notebooks=False", *settings)


def _run(command: list[str], home: Path | None) -> int:
    """Run a command to its end; at Ctrl-C it is asked to end once, and is waited for.

    It is a group of its own, so that the terminal does not interrupt it a second time: Snakemake
    then leaves without removing what its jobs had begun to write.
    """
    process = subprocess.Popen(
        command,
        cwd=home,
        stdin=subprocess.DEVNULL,
        env={**list_chosen(), "PYTHONIOENCODING": "utf-8:replace"},
        process_group=0 if hasattr(os, "killpg") else None,
    )
    try:
        return process.wait()
    except BaseException:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        _wait(process)
        raise


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end, also when the user grows impatient; a third time it is killed."""
    for _ in range(2):
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            print(say("command.waiting"), file=sys.stderr)
    process.kill()
    process.wait()


def read_state(source: Source) -> str:
    """Read what the last run made of a source: `ready`, `refused`, or nothing."""
    path = source.place.data / "processed" / source.kind / source.name / "status.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["state"])
    except (OSError, ValueError, KeyError):
        return ""


def read_card(source: Source) -> dict[str, object]:
    """Read what a page's job wrote for the index: the page's first sentences are in it."""
    path = source.place.data / "processed" / source.kind / source.name / "card.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def tell(source: Source, code: int) -> int:
    """Print the first sentences of a page and its path, and say what a failure was.

    Raises
    ------
    InputError
        Where nothing failed and yet there is no page: a file that the source waits for is absent.
    """
    refused = bool(code) and read_state(source) == "refused"
    if code and not refused:
        return code
    if not source.page.is_file():
        remedy = Message("remedy.run", line=f"headway check {source.kind}/{source.name}")
        problem = Problem(source.name, "no_page", "problem.no_page_made", remedy=remedy)
        raise InputError(Message("failure.no_page", name=source.name), [problem])
    if not refused:
        show((line, "") for line in list_sentences(source))
    print(source.page)
    return RefusedError.exit_code if refused else 0


def list_sentences(source: Source) -> Iterator[str]:
    """List the first sentences of a page, as its job wrote them from released tables."""
    found = read_card(source).get("page_one")
    for line in found if isinstance(found, list) else ():
        if line:
            yield str(line)


def audit(named: Path, data: Path | None, results: Path | None, cores: str) -> int:
    """Run the workflow for one clinic; print what page one says."""
    source = locate_own("clinics", named, data, results)
    return tell(source, run_for(source, cores))


def build(data: Path | None, results: Path | None, cores: str) -> int:
    """Run the workflow for everything below the data's `raw`; notebooks where their extra is."""
    place = find_place(data, results)
    settings = () if find_spec("nbclient") else ("notebooks=False",)
    code = run_workflow(place, cores, *settings)
    index = place.results / "index.html"
    if code == 0:
        print(index)
        return 0
    states = place.data.glob("processed/*/*/status.json")
    sources = [Source(p.parents[1].name, p.parent.name, p.parent, place) for p in states]
    refused = [one for one in sources if read_state(one) == "refused"]
    if refused and index.is_file():
        print(index)
        return RefusedError.exit_code
    return code


def open_page(named: Path | None, data: Path | None, results: Path | None) -> int:
    """Open a page in the browser, and print its path.

    Raises
    ------
    InputError
        If the page is not built yet.
    """
    import webbrowser

    if named is None:
        page, line = find_place(data, results).results / "index.html", "headway build"
    else:
        source = locate(named, data, results)
        refuse_elsewhere(source, source.kind or "clinics")
        command = "audit" if source.kind == "clinics" else "reproduce"
        page, line = source.page, f"headway {command} {source.name}"
    if not page.is_file():
        remedy = Message("remedy.run", line=line)
        problem = Problem(str(page), "no_page", "problem.page_not_built", remedy=remedy)
        raise InputError(
            Message("failure.no_page", name=(named and str(named)) or "index"), [problem]
        )
    try:
        opened = webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    print(page)
    if not opened:
        print(say("command.no_browser"), file=sys.stderr)
    return 0


def add(commands: Subparsers) -> None:
    """Describe the commands."""
    one = Command(
        commands,
        "audit",
        "build one clinic, and print what its page says first",
        ("headway audit mine", "headway audit /srv/study/data/raw/clinics/mine --cores 2"),
        "The page's first sentences and its path are printed. Run again, it builds only what "
        "changed.",
    )
    one.add_source("clinic", "a clinic: its name, or its folder", "clinics")
    add_places(one.parser)
    add_cores(one.parser)
    one.does(lambda o: audit(o.clinic, o.data, o.results, o.cores))

    two = Command(
        commands,
        "build",
        "build every clinic and review, and the index",
        ("headway build", "headway build --data study/data --results study/results"),
        "One that is refused does not keep the others from being built.",
    )
    add_places(two.parser)
    add_cores(two.parser)
    two.does(lambda o: build(o.data, o.results, o.cores))

    three = Command(
        commands,
        "open",
        "open a page in the browser",
        ("headway open", "headway open mine"),
        "Without a name it opens the index of all results. Where there is no browser, the path "
        "is printed.",
    )
    three.add_source("source", "a clinic or review: its name, or its folder", nargs="?")
    add_places(three.parser)
    three.does(lambda o: open_page(o.source, o.data, o.results))
