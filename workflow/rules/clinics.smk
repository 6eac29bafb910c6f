# Clinics: gate and account of rows -> windows and change -> disclosure control -> page.

from headway.tables import RELEASED

# Memory (MB) that DuckDB may take before it goes to the disk.
ENGINE_MB = round(1000 * SETTINGS.memory_gb)


rule ingest_clinic:
    output:
        clinic=f"{PROCESSED}/clinics/{{clinic}}/clinic.json",
        status=f"{PROCESSED}/clinics/{{clinic}}/status.json",
        account=f"{PROCESSED}/clinics/{{clinic}}/account.csv",
        quarantine=f"{PROCESSED}/clinics/{{clinic}}/quarantine.csv",
        patients=f"{PROCESSED}/clinics/{{clinic}}/patients.parquet",
        sessions=f"{PROCESSED}/clinics/{{clinic}}/sessions.parquet",
        days=f"{PROCESSED}/clinics/{{clinic}}/days.parquet",
        # What stands in place of rows of a diary that was written while it was read.
        days_amended=f"{PROCESSED}/clinics/{{clinic}}/days_amended.parquet",
        questionnaires=f"{PROCESSED}/clinics/{{clinic}}/questionnaires.parquet",
        given_windows=f"{PROCESSED}/clinics/{{clinic}}/given_windows.parquet",
    log:
        "logs/ingest_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: threads_for(w.clinic)
    resources:
        **ask("ingest_clinic", lambda w: SIZES["clinics"][w.clinic], ENGINE_MB),
        engine_mb=ENGINE_MB,
    params:
        code=digest("ingest_clinic.py"),
        folder=lambda w: raw_folder("clinics", w.clinic),
        raw=lambda w: RAW["clinics"][w.clinic],
    message:
        "{wildcards.clinic}: gate, then every row kept or accounted for"
    script:
        "../scripts/ingest_clinic.py"


rule analyse_clinic:
    input:
        **rules.ingest_clinic.output,
        # Untreated arms of published trials, beside which a clinic's change is read.
        arms=expand(f"{PROCESSED}/trials/{{name}}/arms.csv", name=sorted(TRIALS)),
    output:
        **{t: f"{PROCESSED}/clinics/{{clinic}}/{t}.csv" for t in RELEASED},
        windows=f"{PROCESSED}/clinics/{{clinic}}/windows.parquet",
        change=f"{PROCESSED}/clinics/{{clinic}}/change.parquet",
        # Whom the clinic may want to look at; without rows unless its preset is internal.
        follow_up=f"{PROCESSED}/clinics/{{clinic}}/patients.csv",
    log:
        "logs/analyse_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: threads_for(w.clinic)
    resources:
        **ask("analyse_clinic", lambda w: SIZES["clinics"][w.clinic], ENGINE_MB),
        engine_mb=ENGINE_MB,
    params:
        code=digest("analyse_clinic.py"),
    message:
        "{wildcards.clinic}: windows, change, cohort"
    script:
        "../scripts/analyse_clinic.py"


rule report_clinic:
    input:
        **{t: rules.analyse_clinic.output[t] for t in RELEASED},
        clinic=rules.ingest_clinic.output.clinic,
        status=rules.ingest_clinic.output.status,
        follow_up=rules.analyse_clinic.output.follow_up,
    output:
        **{t: f"{RESULTS}/clinics/{{clinic}}/{t}.csv" for t in RELEASED},
        page=report(
            f"{RESULTS}/clinics/{{clinic}}/audit.html",
            caption="../report/audit.rst",
            category="Clinics",
            subcategory="{clinic}",
            labels={"what": "audit"},
        ),
        brief=report(
            f"{RESULTS}/clinics/{{clinic}}/brief.html",
            caption="../report/brief.rst",
            category="Clinics",
            subcategory="{clinic}",
            labels={"what": "brief"},
        ),
        brief_pdf=report(
            f"{RESULTS}/clinics/{{clinic}}/brief.pdf",
            caption="../report/brief.rst",
            category="Clinics",
            subcategory="{clinic}",
            labels={"what": "brief, for print"},
        ),
        figures=report(
            directory(f"{RESULTS}/clinics/{{clinic}}/figures"),
            patterns=["{figure}.svg"],
            caption="../report/clinic_figure.rst",
            category="Clinics",
            subcategory="{clinic}",
            labels={"what": "figure: {figure}"},
        ),
        card=f"{PROCESSED}/clinics/{{clinic}}/card.json",
    log:
        "logs/report_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("report_clinic", lambda w: SIZES["clinics"][w.clinic]),
    params:
        code=digest("report_clinic.py"),
        version=VERSION,
    message:
        "{wildcards.clinic}: disclosure control, figures and page"
    script:
        "../scripts/report_clinic.py"
