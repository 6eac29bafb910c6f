"""The commands for a clinic's records: new-clinic, release and simulate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headway.cli.arguments import Command, Subparsers, add_data, add_places
from headway.cli.checking import check
from headway.cli.places import Source, find_place, locate_own
from headway.cli.prompt import ask, leave_open
from headway.cli.screen import say, working
from headway.errors import InputError

PRESETS = ("opensafely", "cms", "nhs", "internal", "public")


def new_clinic(
    paths: Sequence[Path], name: str, data: Path | None, disclosure: str | None, yes: bool
) -> int:
    """Make or update a clinic's folder from its exports, and check it."""
    from headway.ingest.proposals import make_clinic
    from headway.report.proposed import write_made

    place = find_place(data)
    with working(say("command.reading")):
        made = make_clinic(paths, name, place.data, disclosure, leave_open if yes else ask)
    for line in write_made(made):
        print(line, flush=True)
    return check(Path("clinics") / name, data)


def read_draft(source: Source) -> tuple[Path, Path, Path, dict[str, Any], dict[str, str]]:
    """Read a clinic's draft: what `headway.report.clinic.release.release` takes."""
    from headway.ingest.clinics.people import sign_people
    from headway.report.clinic.release import find_draft
    from headway.tables import RELEASED, read_csv
    from headway.tables.private import read_secret

    data, results = source.place.data, source.place.results
    made = find_draft(source.name, data, results)
    draft = {table: read_csv(table, made / f"{table}.csv") for table in RELEASED}
    return made, data, results, draft, sign_people(made, read_secret(data))


def release(named: Path, data: Path | None, results: Path | None) -> int:
    """Release a clinic's draft, held against its earlier releases."""
    from headway.report.clinic import release as releasing

    source = locate_own("clinics", named, data, results)
    with working(say("command.releasing")):
        folder, new = releasing.release(*read_draft(source))
    print(folder if new else say("command.released_before", folder=str(folder)))
    return 0


def simulate(folder: Path, patients: int, seed: int, scenario: str) -> int:
    """Write a synthetic clinic's files, its clinic.yaml and the truth behind them."""
    from headway.simulate import simulate_clinic, write_clinic, write_settings
    from headway.tables import replacing_folder

    if patients < 1:
        raise InputError("failure.no_patients")
    with working(say("command.simulating")):
        simulated = simulate_clinic(n_patients=patients, seed=seed, scenario=scenario)
        with replacing_folder(folder) as part:
            write_clinic(simulated, part, truth=True)
            kept = (folder / "clinic.yaml").exists()
            if not kept:
                write_settings(simulated, part, folder.resolve().name)
    if kept:
        print(say("command.settings_kept", folder=str(folder)))
    print(
        say("command.simulated", folder=str(folder), n=patients, scenario=scenario, seed=str(seed))
    )
    return 0


def list_scenarios() -> int:
    """Print the scenarios of the simulator."""
    from headway.simulate import scenarios

    for name, description in scenarios().items():
        print(f"{name}: {description}")
    return 0


def add(commands: Subparsers) -> None:
    """Describe the commands."""
    one = Command(
        commands,
        "new-clinic",
        "make a clinic of its exports, or update it",
        (
            "headway new-clinic export.xlsx --name mine",
            "headway new-clinic visits.csv diary.csv --name mine --yes",
        ),
        "The exports are only read. Dates become days, people become codes, and what could "
        "identify somebody is left out; clinic.yaml gives the reason of each line and marks what "
        "is in doubt with `# ?`. Run it again on the next export: the mapping stays.",
    )
    one.parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="exported files")
    one.parser.add_argument(
        "--name", required=True, help="of the clinic: lower-case letters, digits and underscores"
    )
    one.parser.add_argument("--yes", action="store_true", help="ask nothing; doubts stay marked")
    one.parser.add_argument(
        "--disclosure", choices=PRESETS, help="preset of disclosure rules (default: opensafely)"
    )
    add_data(one.parser)
    one.does(lambda o: new_clinic(o.paths, o.name, o.data, o.disclosure, o.yes), private=True)

    two = Command(
        commands,
        "release",
        "release a clinic's draft, held against its earlier releases",
        ("headway release mine",),
        "Tables, figures and page go to results/releases/NAME, unless few people could be told "
        "by comparing them with an earlier release.",
    )
    two.add_source("clinic", "a clinic that was audited or built: its name, or folder", "clinics")
    add_places(two.parser)
    two.does(lambda o: release(o.clinic, o.data, o.results), private=True)

    three = Command(
        commands,
        "simulate",
        "write a synthetic clinic with a known truth",
        ("headway simulate", "headway simulate data/raw/clinics/practice --patients 80"),
        "Without a folder it lists the scenarios.",
    )
    three.parser.add_argument("folder", type=Path, nargs="?", help="folder to write")
    three.parser.add_argument(
        "--patients", type=int, default=120, metavar="N", help="people (default: %(default)s)"
    )
    three.parser.add_argument(
        "--seed", type=int, default=20260101, metavar="N", help="default: %(default)s"
    )
    three.parser.add_argument(
        "--scenario", default="real_effect", metavar="NAME", help="default: %(default)s"
    )
    three.does(
        lambda o: (
            simulate(o.folder, o.patients, o.seed, o.scenario) if o.folder else list_scenarios()
        )
    )
