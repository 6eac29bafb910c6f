# Clinics: gate and account of rows -> windows and change -> disclosure control -> page.


rule ingest_clinic:
    input:
        files=lambda w: raw_files("clinics", w.clinic),
    output:
        clinic=f"{PROCESSED}/clinics/{{clinic}}/clinic.json",
        status=f"{PROCESSED}/clinics/{{clinic}}/status.json",
        account=f"{PROCESSED}/clinics/{{clinic}}/account.csv",
        quarantine=f"{PROCESSED}/clinics/{{clinic}}/quarantine.csv",
        patients=f"{PROCESSED}/clinics/{{clinic}}/patients.parquet",
        sessions=f"{PROCESSED}/clinics/{{clinic}}/sessions.parquet",
        days=f"{PROCESSED}/clinics/{{clinic}}/days.parquet",
        questionnaires=f"{PROCESSED}/clinics/{{clinic}}/questionnaires.parquet",
        given_windows=f"{PROCESSED}/clinics/{{clinic}}/given_windows.parquet",
    log:
        "logs/ingest_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    threads: 2
    params:
        code=digest("ingest_clinic.py"),
    message:
        "{wildcards.clinic}: gate, then every row kept or accounted for"
    script:
        "../scripts/ingest_clinic.py"


rule analyse_clinic:
    input:
        **{k: v for k, v in rules.ingest_clinic.output.items() if k != "quarantine"},
    output:
        windows=f"{PROCESSED}/clinics/{{clinic}}/windows.parquet",
        change=f"{PROCESSED}/clinics/{{clinic}}/change.parquet",
        cohort=f"{PROCESSED}/clinics/{{clinic}}/cohort.csv",
        flow=f"{PROCESSED}/clinics/{{clinic}}/flow.csv",
        individual=f"{PROCESSED}/clinics/{{clinic}}/individual.csv",
        lost=f"{PROCESSED}/clinics/{{clinic}}/lost.csv",
        window_means=f"{PROCESSED}/clinics/{{clinic}}/window_means.csv",
        change_histogram=f"{PROCESSED}/clinics/{{clinic}}/change_histogram.csv",
        change_lines=f"{PROCESSED}/clinics/{{clinic}}/change_lines.csv",
    log:
        "logs/analyse_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    threads: 2
    params:
        code=digest("analyse_clinic.py"),
    message:
        "{wildcards.clinic}: windows, change, cohort"
    script:
        "../scripts/analyse_clinic.py"


rule report_clinic:
    input:
        clinic=rules.ingest_clinic.output.clinic,
        status=rules.ingest_clinic.output.status,
        cohort=rules.analyse_clinic.output.cohort,
        flow=rules.analyse_clinic.output.flow,
        individual=rules.analyse_clinic.output.individual,
        lost=rules.analyse_clinic.output.lost,
        window_means=rules.analyse_clinic.output.window_means,
        change_histogram=rules.analyse_clinic.output.change_histogram,
        change_lines=rules.analyse_clinic.output.change_lines,
    output:
        page=f"{RESULTS}/clinics/{{clinic}}/audit.html",
        figures=directory(f"{RESULTS}/clinics/{{clinic}}/figures"),
        cohort=f"{RESULTS}/clinics/{{clinic}}/cohort.csv",
        flow=f"{RESULTS}/clinics/{{clinic}}/flow.csv",
        individual=f"{RESULTS}/clinics/{{clinic}}/individual.csv",
        lost=f"{RESULTS}/clinics/{{clinic}}/lost.csv",
        window_means=f"{RESULTS}/clinics/{{clinic}}/window_means.csv",
        change_histogram=f"{RESULTS}/clinics/{{clinic}}/change_histogram.csv",
        change_lines=f"{RESULTS}/clinics/{{clinic}}/change_lines.csv",
        card=f"{PROCESSED}/clinics/{{clinic}}/card.json",
    log:
        "logs/report_clinic/{clinic}.log",
    conda:
        "../../environment.yml"
    params:
        code=digest("report_clinic.py"),
    message:
        "{wildcards.clinic}: disclosure control, figures and page"
    script:
        "../scripts/report_clinic.py"
