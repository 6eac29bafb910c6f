# Published trials: raw rows -> effects -> pooled estimates and verdicts -> page.


rule ingest_review:
    output:
        review=f"{PROCESSED}/trials/{{review}}/review.json",
        arms=f"{PROCESSED}/trials/{{review}}/arms.csv",
        contrasts=f"{PROCESSED}/trials/{{review}}/contrasts.csv",
        published=f"{PROCESSED}/trials/{{review}}/published.csv",
        risk_of_bias=f"{PROCESSED}/trials/{{review}}/risk_of_bias.csv",
        ipd=f"{PROCESSED}/trials/{{review}}/ipd.csv",
        status=f"{PROCESSED}/trials/{{review}}/status.json",
    log:
        "logs/ingest_review/{review}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("ingest_review", lambda w: SIZES["trials"][w.review]),
    params:
        code=digest("ingest_review.py"),
        folder=lambda w: raw_folder("trials", w.review),
        raw=lambda w: RAW["trials"][w.review],
    message:
        "{wildcards.review}: reading what was published"
    script:
        "../scripts/ingest_review.py"


rule analyse_review:
    input:
        **rules.ingest_review.output,
    output:
        effects=f"{RESULTS}/trials/{{review}}/effects.csv",
        pooled=f"{RESULTS}/trials/{{review}}/pooled.csv",
        multiverse=f"{RESULTS}/trials/{{review}}/multiverse.csv",
        refits=f"{RESULTS}/trials/{{review}}/refits.csv",
        small_studies=f"{RESULTS}/trials/{{review}}/small_studies.csv",
        moderators=f"{RESULTS}/trials/{{review}}/moderators.csv",
        bubbles=f"{RESULTS}/trials/{{review}}/bubbles.csv",
        bayes=f"{RESULTS}/trials/{{review}}/bayes.csv",
        bayes_trials=f"{RESULTS}/trials/{{review}}/bayes_trials.csv",
        bayes_density=f"{RESULTS}/trials/{{review}}/bayes_density.csv",
        findings=f"{RESULTS}/trials/{{review}}/findings.csv",
        translated=f"{RESULTS}/trials/{{review}}/translated.csv",
        support=f"{RESULTS}/trials/{{review}}/support.csv",
        reproduction=f"{RESULTS}/trials/{{review}}/reproduction.csv",
        consistency=f"{RESULTS}/trials/{{review}}/consistency.csv",
        integrity=f"{RESULTS}/trials/{{review}}/integrity.csv",
        networks=f"{RESULTS}/trials/{{review}}/networks.csv",
        network_effects=f"{RESULTS}/trials/{{review}}/network_effects.csv",
        network_pairs=f"{RESULTS}/trials/{{review}}/network_pairs.csv",
        network_ranks=f"{RESULTS}/trials/{{review}}/network_ranks.csv",
        network_consistency=f"{RESULTS}/trials/{{review}}/network_consistency.csv",
        network_contributions=f"{RESULTS}/trials/{{review}}/network_contributions.csv",
        network_modifiers=f"{RESULTS}/trials/{{review}}/network_modifiers.csv",
        network_sensitivity=f"{RESULTS}/trials/{{review}}/network_sensitivity.csv",
        metafor=f"{RESULTS}/trials/{{review}}/metafor.csv",
        revman=f"{RESULTS}/trials/{{review}}/revman.csv",
        r_script=f"{RESULTS}/trials/{{review}}/reproduce.R",
    log:
        "logs/analyse_review/{review}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("analyse_review", lambda w: SIZES["trials"][w.review]),
    params:
        code=digest("analyse_review.py"),
    message:
        "{wildcards.review}: effects, pooled estimates, verdicts"
    script:
        "../scripts/analyse_review.py"


rule report_review:
    input:
        **rules.ingest_review.output,
        **rules.analyse_review.output,
    output:
        page=report(
            f"{RESULTS}/trials/{{review}}/index.html",
            caption="../report/review.rst",
            category="Reviews",
            subcategory="{review}",
            labels={"what": "review"},
        ),
        figures=report(
            directory(f"{RESULTS}/trials/{{review}}/figures"),
            patterns=["{figure}.svg"],
            caption="../report/review_figure.rst",
            category="Reviews",
            subcategory="{review}",
            labels={"what": "figure: {figure}"},
        ),
        card=f"{PROCESSED}/trials/{{review}}/card.json",
    log:
        "logs/report_review/{review}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("report_review", lambda w: SIZES["trials"][w.review]),
    params:
        code=digest("report_review.py"),
        version=VERSION,
    message:
        "{wildcards.review}: figures and page"
    script:
        "../scripts/report_review.py"


rule write_manuscript:
    input:
        **rules.ingest_review.output,
        **rules.analyse_review.output,
    output:
        folder=directory(f"{RESULTS}/trials/{{review}}/manuscript"),
    log:
        "logs/write_manuscript/{review}.log",
    conda:
        "../../environment.yml"
    resources:
        **ask("write_manuscript", lambda w: SIZES["trials"][w.review]),
    params:
        code=digest("manuscript.py"),
        version=VERSION,
        language=None if SETTINGS.manuscripts in ("none", "own") else SETTINGS.manuscripts,
    message:
        "{wildcards.review}: files for a manuscript"
    script:
        "../scripts/manuscript.py"
