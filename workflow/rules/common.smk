# What the rules share: settings, the sources found below data/raw, and the digest of the code.
from pathlib import Path

from digest import digest
from headway import version
from headway.config import check_config, find_sources, select_sources, to_dict

SETTINGS = check_config(config)

# Pages print the version with the commit, so that they, and no other job, run again with it.
VERSION = version.describe()
# Files of the workflow itself: named from the folder of the run where they stand in it.
AT_HOME = Path(workflow.basedir).resolve() == Path.cwd().resolve()
BESIDE = "" if AT_HOME else f"{workflow.basedir}/"

DATA = SETTINGS.data_dir.rstrip("/")
PROCESSED = f"{DATA}/processed"
RESULTS = SETTINGS.results_dir.rstrip("/")

SOURCES = {
    kind: select_sources(find_sources(Path(DATA), kind), chosen, kind)
    for kind, chosen in (("trials", SETTINGS.trials), ("clinics", SETTINGS.clinics))
}
READY = {kind: {s.name: s for s in found if s.ready} for kind, found in SOURCES.items()}
SKIPPED = [s for found in SOURCES.values() for s in found if not s.ready]
NOTICES = [
    f"skipping {s.name}: waiting for {', '.join(s.missing)} in {s.folder.as_posix()}/"
    for s in SKIPPED
]


def raw_files(kind, name):
    """List a source's YAML and the data files that it declares."""
    return [path.as_posix() for path in READY[kind][name].files]


def of_each(kind, path):
    """List a path for every source that is ready."""
    return expand(path, name=sorted(READY[kind]))
