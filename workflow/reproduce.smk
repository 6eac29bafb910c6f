# A library of reviews: every file or folder is judged by a job of its own -> one table, one page.
# headway reproduce FOLDER runs it; `data_dir` is the library, `results_dir` the folder of the results.
import sys
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

min_version("9.0")

# Snakemake runs script jobs by `sys.executable` unquoted; a folder with a space would break them.
sys.executable = quote(sys.executable)
sys.path[:0] = [
    str(Path(workflow.basedir).parent / "src"),
    str(Path(workflow.basedir)),
]

import blas
import locks
from contents import Contents
from digest import PARSED, digest
from headway.reviews.library import list_sources, show_source

blas.keep_choice(shell)
if workflow.is_main_process:
    locks.clear_left_behind()

LIBRARY = Path(config.get("data_dir", "data"))
OUT = config.get("results_dir", "results").rstrip("/")
FOUND = list_sources(LIBRARY, Path(OUT))

# The content of a file decides whether it is judged again, not its time.
KNOWN = Contents(Path(OUT) / ".contents.json")
RAW = {
    name: KNOWN.digest(sorted(path.rglob("*")) if path.is_dir() else [path])
    for name, path in FOUND.items()
}
KNOWN.save()


wildcard_constraints:
    one="[a-z0-9_]+",


rule library:
    default_target: True
    input:
        tables=expand(f"{OUT}/files/{{one}}.csv", one=FOUND),
        accounts=expand(f"{OUT}/files/{{one}}.json", one=FOUND),
    output:
        library=f"{OUT}/library.csv",
        files=f"{OUT}/library_files.csv",
        page=f"{OUT}/index.html",
    log:
        "logs/library.log",
    conda:
        "../environment.yml"
    params:
        code=digest("library.py"),
        title=LIBRARY.name,
    message:
        "one table and one page"
    script:
        "scripts/library.py"


rule reproduce:
    output:
        table=f"{OUT}/files/{{one}}.csv",
        account=f"{OUT}/files/{{one}}.json",
    log:
        "logs/reproduce/{one}.log",
    conda:
        "../environment.yml"
    params:
        code=digest("reproduce.py"),
        path=lambda w: FOUND[w.one].as_posix(),
        name=lambda w: show_source(FOUND[w.one].relative_to(LIBRARY)),
        raw=lambda w: RAW[w.one],
    message:
        "{params.name}"
    script:
        "scripts/reproduce.py"


PARSED.save()
