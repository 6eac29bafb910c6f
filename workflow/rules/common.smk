# What the rules share: settings, the sources found below data/raw, and the digest of the code.
from pathlib import Path

import clock
from contents import Contents
from digest import PARSED, digest
from headway import version
from headway.tables import private
from headway.config import check_config, find_sources, select_sources, to_dict
from resources import ask, measure

SETTINGS = check_config(config)

# Pages print the version with the commit, so that they, and no other job, run again with it.
VERSION = version.describe()
# Files of the workflow itself: named from the folder of the run where they stand in it.
AT_HOME = Path(workflow.basedir).resolve() == Path.cwd().resolve()
BESIDE = "" if AT_HOME else f"{workflow.basedir}/"

DATA = SETTINGS.data_dir.rstrip("/")
PROCESSED = f"{DATA}/processed"
RESULTS = SETTINGS.results_dir.rstrip("/")

FOUND = {kind: find_sources(Path(DATA), kind) for kind in ("trials", "clinics")}
SOURCES = {
    kind: select_sources(FOUND[kind], chosen, kind)
    for kind, chosen in (("trials", SETTINGS.trials), ("clinics", SETTINGS.clinics))
}
READY = {kind: {s.name: s for s in found if s.ready} for kind, found in SOURCES.items()}
# A clinic is read beside the arms of all published trials, whichever pages are asked for.
TRIALS = {s.name: s for s in FOUND["trials"] if s.ready}
OTHERS = {
    state: [s for found in SOURCES.values() for s in found if s.state == state]
    for state in ("waiting", "refused", "unread")
}
NOTICES = [
    f"skipping {s.name}: waiting for {', '.join(s.missing)} in {s.folder.as_posix()}/"
    for s in OTHERS["waiting"]
] + [
    f"{word} {s.kind}/{problem if problem.file == s.name else f'{s.name}: {problem}'}"
    for word, sources in {
        "refused:": OTHERS["refused"],
        "not read:": OTHERS["unread"],
        "note:": [s for ready in READY.values() for s in ready.values()],
    }.items()
    for s in sources
    for problem in s.problems
]

# Records, and numbers before disclosure control, are their owner's alone.
if READY["clinics"] and not private.make_private(Path(PROCESSED) / "clinics"):
    NOTICES.append(f"others may read {PROCESSED}/clinics: the file system cannot forbid it")

if workflow.is_main_process:
    # What rules read, and what earlier runs wrote.
    OWN = [*Path("notebooks").glob("*.ipynb"), Path("requirements.lock")] if AT_HOME else []
    NOTICES += clock.settle([Path(PROCESSED), Path(RESULTS), *OWN])

# The content of raw files decides whether they are read again. They stand in no rule's `input`:
# Snakemake would go by their time, and would take a brace in a name for a wildcard.
CONTENTS = Contents(Path(PROCESSED) / ".contents.json")
READ = {"trials": TRIALS if READY["clinics"] else READY["trials"], "clinics": READY["clinics"]}
RAW = {
    kind: {name: CONTENTS.digest(source.files) for name, source in sorted(ready.items())}
    for kind, ready in READ.items()
}
CONTENTS.save()
# How large they are decides what their jobs ask of a cluster.
SIZES = {k: {name: measure(s.files) for name, s in ready.items()} for k, ready in READ.items()}


def card_of(kind, name):
    """Name the file with what the index says of a source."""
    return f"{PROCESSED}/{kind}/{name}/card.json"


# Pages of earlier runs, of sources that this run does not build: the index lists them too.
PAGES = {"trials": "index.html", "clinics": "audit.html"}
STANDING = {
    kind: [
        s
        for s in FOUND[kind]
        if s.name not in READY[kind]
        and Path(card_of(kind, s.name)).is_file()
        and (Path(RESULTS) / kind / s.name / PAGES[kind]).is_file()
    ]
    for kind in PAGES
}


def raw_folder(kind, name):
    """Name the folder of a source."""
    return READ[kind][name].folder.as_posix()


def threads_for(clinic):
    """Give a large clinic two threads; a small one has no use for the second, another does."""
    return 1 if SIZES["clinics"][clinic] < 50_000_000 else 2


def of_each(kind, path):
    """List a path for every source that is ready."""
    return expand(path, name=sorted(READY[kind]))


def describe_others(state):
    """Say of sources that no job reads what the index and the end of a run say of them."""
    return [
        dict(
            kind=s.kind,
            name=s.name,
            missing=list(s.missing),
            obtain=s.obtain,
            folder=f"{DATA}/raw/{s.kind}/{s.name}",
            problems=[
                {k: v if v is None else str(v) for k, v in p.as_dict().items()} for p in s.problems
            ],
        )
        for s in OTHERS[state]
    ]
