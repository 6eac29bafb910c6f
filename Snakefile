# Raw to report. The sources are the folders below data/raw; each goes through the same rules.
# workflow/rules/common.smk finds them; trials.smk, clinics.smk and pages.smk carry them on.
# A wheel carries this file and workflow/ too (headway/_workflow) and runs them in a user's folder.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

min_version("9.0")

# Snakemake runs script jobs by `sys.executable` unquoted; a folder with a space would break them.
PYTHON = sys.executable
sys.executable = quote(PYTHON)
sys.path[:0] = [
    str(Path(workflow.basedir) / "src"),
    str(Path(workflow.basedir) / "workflow"),
]

import blas
import locks
import warm

blas.keep_choice(shell)

if workflow.is_main_process:
    locks.clear_left_behind()

# The folder's own settings, or else those that stand beside this file.
SETTINGS = Path("config/config.yaml")
if not SETTINGS.is_file():
    SETTINGS = Path(workflow.basedir) / SETTINGS


configfile: SETTINGS


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/clinics.smk"
include: "workflow/rules/pages.smk"


PARSED.save()


wildcard_constraints:
    review="[a-z0-9_]+",
    clinic="[a-z0-9_]+",


onstart:
    for left in (".staging-", "*/.spill-"):
        private.sweep(Path(PROCESSED) / "clinics", left)
    for notice in NOTICES:
        print(f"headway: {notice}", file=sys.stderr)
    # Snakemake's own limit (100 jobs a second) wakes its scheduler once a second more for every
    # job that is done: for hundreds of sources more work than the jobs. Another limit stays.
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    if workflow.local_exec and not workflow.touch:
        sys.executable = warm.start(PYTHON, os.environ)


# `snakemake manuscript`; `rule all` writes them where `manuscripts` says so.
rule manuscript:
    input:
        of_each("trials", f"{RESULTS}/trials/{{name}}/manuscript"),


rule all:
    default_target: True
    input:
        f"{RESULTS}/index.html",
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/ro-crate-metadata.json",
        # Every page by name, so that one that was deleted is made again.
        of_each("trials", f"{RESULTS}/trials/{{name}}/index.html"),
        of_each("clinics", f"{RESULTS}/clinics/{{name}}/audit.html"),
        of_each("clinics", f"{RESULTS}/clinics/{{name}}/brief.html"),
        of_each("clinics", f"{RESULTS}/clinics/{{name}}/brief.pdf"),
        rules.manuscript.input if SETTINGS.manuscripts != "none" else [],
        f"{PROCESSED}/nothing_refused.txt",
