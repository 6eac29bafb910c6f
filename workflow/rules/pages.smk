# What all sources share: the notebooks, the index, provenance, and the end of the run.

NOTEBOOKS = {
    "reproduce_a_meta_analysis": ("trials", "acupuncture_headache"),
    "audit_a_clinic": ("clinics", "demo"),
}
# A notebook reads the results of one source and runs only where that source is there.
RUNNABLE = [
    name
    for name, (kind, source) in NOTEBOOKS.items()
    if SETTINGS.notebooks and source in READY[kind]
]


rule notebook:
    input:
        notebook=f"{BESIDE}notebooks/{{notebook}}.ipynb",
        results=lambda w: f"{PROCESSED}/{'/'.join(NOTEBOOKS[w.notebook])}/card.json",
    output:
        page=report(
            f"{RESULTS}/notebooks/{{notebook}}.html",
            caption="../report/notebook.rst",
            category="Notebooks",
            labels={"what": "{notebook}"},
        ),
    log:
        "logs/notebook/{notebook}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("notebook"),
    params:
        code=digest("execute_notebook.py"),
        data_dir=DATA,
        results_dir=lambda w, output: Path(output.page).parents[1].as_posix(),
    message:
        "notebook {wildcards.notebook}"
    script:
        "../scripts/execute_notebook.py"


rule index:
    input:
        trials=of_each("trials", f"{PROCESSED}/trials/{{name}}/card.json"),
        clinics=of_each("clinics", f"{PROCESSED}/clinics/{{name}}/card.json"),
        notebooks=expand(f"{RESULTS}/notebooks/{{name}}.html", name=RUNNABLE),
        # What a checkout's environment was made from; nobody knows what another was.
        environment=["requirements.lock"] if AT_HOME else [],
    output:
        page=report(
            f"{RESULTS}/index.html",
            caption="../report/index.rst",
            category="Index",
            labels={"what": "index"},
        ),
        provenance=f"{RESULTS}/provenance.json",
        crate=f"{RESULTS}/ro-crate-metadata.json",
        workflow=directory(f"{RESULTS}/workflow"),
    log:
        "logs/index.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("index"),
    params:
        code=digest("index.py"),
        version=VERSION,
        config=dict(sorted(to_dict(SETTINGS).items())),
        # A function: lint takes a string for a prefix of the inputs, and this is a setting.
        data_dir=lambda w: DATA,
        files=lambda w: [
            f.as_posix()
            for kind, ready in READY.items()
            for s in [*ready.values(), *STANDING[kind]]
            for f in s.files
        ],
        raw=lambda w: RAW,
        standing=lambda w: {k: [card_of(k, s.name) for s in found] for k, found in STANDING.items()},
        skipped=lambda w: describe_others("waiting"),
        refused=lambda w: describe_others("refused"),
        unread=lambda w: describe_others("unread"),
        registry=lambda w: Path(f"{RESULTS}/registry/index.html").is_file(),
    message:
        "index and provenance"
    script:
        "../scripts/index.py"


# The last job of a run: it fails, after everything else is built, if a source was refused.
rule nothing_refused:
    input:
        page=rules.index.output.page,
        trials=of_each("trials", f"{PROCESSED}/trials/{{name}}/status.json"),
        clinics=of_each("clinics", f"{PROCESSED}/clinics/{{name}}/status.json"),
    output:
        f"{PROCESSED}/nothing_refused.txt",
    log:
        "logs/nothing_refused.log",
    # Nothing to try again, and no work for a cluster: it fails only by what the sources are.
    retries: 0
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        **ask("nothing_refused"),
    params:
        code=digest("nothing_refused.py"),
        refused=lambda w: describe_others("refused"),
    message:
        "is any source refused?"
    script:
        "../scripts/nothing_refused.py"
