# Asks R's metafor everything that the engine computes, on the made-up data sets below inside/.
# Rscript --vanilla write_golden.R DATA OUT [SETS]
# DATA: folder of CSV files; OUT: JSON. With SETS (names joined by commas) only these.
# metafor 3.8 writes what tests compare with every version; metafor 5 what it added or redefined.
# Iterations run until a step is below 1e-11 of the variance of the effects: metafor's defaults stop
# at absolute steps, so that its answers would change with the unit.
suppressMessages({library(metafor); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
wanted <- if (length(arguments) > 2) strsplit(arguments[3], ",")[[1]] else NULL
new <- packageVersion("metafor") >= "5.0"
read <- function(name) read.csv(file.path(folder, paste0(name, ".csv")))
keep <- function(sets) if (is.null(wanted)) sets else intersect(sets, wanted)
quiet <- function(expression) suppressWarnings(suppressMessages(expression))
attempt <- function(expression) tryCatch(quiet(expression), error = function(e) NULL)
# Not NULL, which would be written as {}.
or_na <- function(x) if (is.null(x) || length(x) == 0) NA else x

# Effect sizes -------------------------------------------------------------------------------------
sizes <- list(
  two_groups = c("two_groups", "two_groups_edges"), paired = "before_after", means = "means",
  counts = c("responders", "rare_events", "nearly_all"), rates = "attacks",
  proportions = "relapses", correlations = "correlations", reliability = "reliability")
measures <- list(
  two_groups = c("MD:LS", "MD:HO", "SMD:LS", "SMD:LS2", "SMD:UB", "SMD:AV", "SMDH:LS", "SMDH:LS2", "SMD1",
    "SMD1H", "ROM:LS", "ROM:HO", "ROM:AV", "VR", "CVR", "RPB", "D2OR", if (new) c("SMD:LS:nocorrect",
    "ROM:LS:nocorrect", "ZPB", "CLESN")),
  paired = c("MC", "SMCC:LS", "SMCR:LS", "SMCRH", "ROMC", "VRC", "CVRC", if (new) c("SMCC:LS2", "SMCC:UB",
    "SMCR:LS2", "SMCRP", "SMCRPH", "CLESCN")),
  means = c("MN", "SMN"), counts = c("RR", "OR", "RD", "AS", "PETO"), rates = c("IRR", "IRD"),
  proportions = c("PR", "PLN", "PLO", "PAS", "PFT"), correlations = c("COR", "ZCOR"), reliability = "ABT")
size_one <- function(d, name) {
  parts <- strsplit(name, ":")[[1]]
  args <- list(measure = switch(parts[1], D2OR = "D2ORL", parts[1]))
  for (part in parts[-1]) if (part == "nocorrect") args$correct <- FALSE else args$vtype <- part
  columns <- c("n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i", "ai", "ci", "x1i", "t1i", "x2i", "t2i",
               "xi", "ni", "ri", "mi", "sdi")
  for (column in intersect(columns, names(d))) args[[column]] <- d[[column]]
  if (parts[1] %in% c("VR", "CVR") && !is.null(d$m1i)) args[c("m1i", "m2i")] <- d[c("m1i", "m2i")]
  # In a change score measure sd1i is the SD that it is divided by.
  found <- attempt(do.call(escalc, args))
  if (is.null(found)) return(NULL)
  list(yi = as.vector(found$yi), vi = as.vector(found$vi))
}
# Morris (2008), d_ppc2: both groups' changes over their pooled SD before; not of metafor.
dppc2 <- function(d) {
  m <- d$nT + d$nC - 2
  sd <- sqrt(((d$nT - 1) * d$sdpreT^2 + (d$nC - 1) * d$sdpreC^2) / m)
  yi <- exp(lgamma(m / 2) - lgamma((m - 1) / 2)) / sqrt(m / 2) *
    ((d$mpostT - d$mpreT) - (d$mpostC - d$mpreC)) / sd
  list(yi = yi, vi = 2 * (1 - d$rT) * (1 / d$nT + 1 / d$nC) + yi^2 / (2 * (d$nT + d$nC)))
}
write_sizes <- function() {
  out <- list()
  for (family in names(sizes)) for (set in keep(sizes[[family]])) {
    d <- read(set)
    names <- measures[[family]]
    out[[set]] <- Filter(Negate(is.null), sapply(names, size_one, d = d, simplify = FALSE))
  }
  if ("controlled" %in% keep("controlled")) out$controlled <- list(dppc2 = dppc2(read("controlled")))
  out
}

# Pooling ------------------------------------------------------------------------------------------
methods <- c("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")
tests <- c("z", "t", "knha", "adhoc")
tighten <- function(y, v) {
  size <- 1e-11 * max(var(y), min(v))
  list(threshold = size, tol = size, maxiter = 10000, tau2.max = 1e4 * (var(y) + max(v)))
}
fit_with <- function(y, v, method, test, ...) {
  quiet(rma(y, v, method = method, test = test, control = tighten(y, v), ...))
}
numbers <- function(fit) list(est = c(fit$beta), se = fit$se, stat = fit$zval,
  df = if (fit$test == "z") NA else fit$ddf[1], p = fit$pval, lb = fit$ci.lb, ub = fit$ci.ub)
fit_model <- function(y, v, method) {
  out <- list()
  for (test in tests) {
    fit <- fit_with(y, v, method, test)
    own <- numbers(fit)
    if (method != "EE") {
      normal <- predict(fit)
      riley <- predict(fit, pi.type = "riley")
      t <- predict(fit, pi.type = "t")
      own <- c(own, list(pi_lb = normal$pi.lb, pi_ub = normal$pi.ub, pi_riley_lb = riley$pi.lb,
        pi_riley_ub = riley$pi.ub, pi_t_lb = t$pi.lb, pi_t_ub = t$pi.ub))
    }
    out[[test]] <- own
  }
  c(list(k = fit$k, tau2 = fit$tau2, se_tau2 = or_na(if (method == "EE") NA else fit$se.tau2), I2 = fit$I2,
         H2 = fit$H2, QE = fit$QE, QEp = fit$QEp, ll = c(logLik(fit))), out)
}
intervals <- function(y, v, method, type) {
  size <- tighten(y, v)
  # The upper limit lies where metafor looks for it only if it is told how far to look.
  found <- attempt(confint(fit_with(y, v, method, "z"), type = type,
    control = list(tol = size$tol, maxiter = 10000, tau2.max = size$tau2.max)))
  if (is.null(found)) return(NULL)
  found <- unname(as.matrix(found$random))
  list(tau2 = found[1, ], tau = found[2, ], I2 = found[3, ], H2 = found[4, ])
}
refits <- function(found) {
  found <- as.data.frame(found)
  as.list(found)
}
deeper <- function(y, v) {
  out <- list(leave1out = list(), cumul = list())
  for (name in c("REML_z", "REML_knha", "DL_z")) {
    parts <- strsplit(name, "_")[[1]]
    fit <- fit_with(y, v, parts[1], parts[2])
    out$leave1out[[name]] <- refits(quiet(leave1out(fit)))
    out$cumul[[name]] <- refits(quiet(cumul(fit, order = order(v))))
  }
  fit <- fit_with(y, v, "REML", "z")
  found <- quiet(influence(fit))
  out$influence <- c(unclass(found$inf)[c("rstudent", "dffits", "cook.d", "cov.r", "tau2.del", "QE.del",
    "hat", "weight")], list(dfbs = unclass(found$dfbs)[[1]], is_infl = found$is.infl))
  pdf(NULL)
  out$baujat_DL <- as.list(quiet(baujat(fit_with(y, v, "DL", "z")))[c("x", "y")])
  dev.off()
  own <- blup(fit)
  out$blup_REML <- list(pred = own$pred, se = own$se, pi_lb = own$pi.lb, pi_ub = own$pi.ub)
  out$rstandard_REML <- rstandard(fit)$z
  out$weights_REML <- as.vector(weights(fit))
  out$weights_EE <- as.vector(weights(fit_with(y, v, "EE", "z")))
  dl <- fit_with(y, v, "DL", "z")
  if (length(y) <= 10) {
    found <- quiet(gosh(dl, progbar = FALSE))$res
    out$gosh_DL <- list(n_subsets = nrow(found), est_mean = mean(found$estimate), est_sd = sd(found$estimate),
      I2_mean = mean(found$I2), quantiles_est = unname(quantile(found$estimate, c(0, 0.05, 0.25, 0.5, 0.75,
      0.95, 1))))
    out$permutest_exact_p_DL <- quiet(permutest(dl, exact = TRUE, progbar = FALSE))$pval
  }
  out
}
asymmetry <- function(y, v, ni) {
  out <- list()
  # metafor refuses predictors that it takes for constant, as variances of 1e-9 are.
  line <- function(fit, ...) {
    found <- attempt(regtest(fit, ...))
    if (is.null(found)) return(NULL)
    list(stat = found$zval, dfs = or_na(found$dfs), p = found$pval, est = or_na(found$est), lb = or_na(found$ci.lb),
         ub = or_na(found$ci.ub))
  }
  fit <- fit_with(y, v, "REML", "z", ni = ni)
  for (predictor in c("sei", if (!is.null(ni)) c("ni", "ninv", "sqrtninv")))
    out[[paste0("egger_lm_", predictor)]] <- line(fit, model = "lm", predictor = predictor)
  for (predictor in c("sei", "vi"))
    out[[paste0("egger_rma_REML_", predictor)]] <- line(fit, predictor = predictor)
  out$egger_rma_DL_sei <- line(fit_with(y, v, "DL", "z"), predictor = "sei")
  for (name in c("pet_lm", "peese_lm")) {
    x <- if (name == "pet_lm") sqrt(v) else v
    found <- coef(summary(lm(y ~ x, weights = 1 / v)))
    out[[name]] <- list(est = unname(found[, 1]), se = unname(found[, 2]), t = unname(found[, 3]),
                        p = unname(found[, 4]))
  }
  found <- quiet(ranktest(y, v))
  out$begg <- list(tau = unname(found$tau), p = found$pval)
  for (method in c("EE", "DL", "REML")) for (estimator in c("L0", "R0")) for (side in c("left", "right")) {
    found <- attempt(trimfill(fit_with(y, v, method, "z"), side = side, estimator = estimator))
    if (is.null(found)) next
    out[[paste("trimfill", method, estimator, side, sep = "_")]] <- list(k0 = found$k0, se_k0 = found$se.k0,
      side = found$side, est = c(found$beta), se = found$se, lb = found$ci.lb, ub = found$ci.ub,
      tau2 = found$tau2, I2 = found$I2, fill_yi = I(as.vector(found$yi)[found$fill]),
      fill_vi = I(found$vi[found$fill]))
  }
  found <- attempt(trimfill(fit))
  if (!is.null(found)) out$trimfill_REML_auto_L0 <- list(k0 = found$k0, side = found$side, est = c(found$beta))
  found <- hc(fit)
  out$hc <- list(est = c(found$beta), lb = found$ci.lb, ub = found$ci.ub)
  found <- quiet(tes(y, v, progbar = FALSE))
  out$tes <- list(O = found$O, E = found$E, X2 = or_na(found$X2), p = found$pval)
  found <- attempt(selmodel(fit_with(y, v, "ML", "z"), type = "stepfun", steps = 0.025,
    control = list(optimizer = "nlminb", rel.tol = 1e-14, iter.max = 2000, eval.max = 5000)))
  if (!is.null(found)) out$selmodel_stepfun <- list(est = c(found$beta), se = found$se, tau2 = found$tau2,
    delta = found$delta, ll = c(logLik(found)), LRT = found$LRT, LRTp = found$LRTp)
  out
}
write_pooling <- function() {
  out <- list()
  analyses <- list()
  for (set in keep(c("two_trials", "three_trials", "five_trials", "nine_trials", "fourteen_trials",
      "forty_trials", "equal_effects", "no_heterogeneity", "equal_variances", "tiny_variances", "huge_unit",
      "tiny_unit", "all_below_zero", "one_large_trial", "outlier", "small_study_effect"))) {
    d <- read(set)
    analyses[[paste0(set, "|GEN")]] <- list(set = set, measure = "GEN", y = d$yi, v = d$vi, ni = d$ni)
  }
  for (set in keep(c("two_groups", "responders", "rare_events", "correlations", "reliability")))
    for (measure in switch(set, two_groups = c("MD", "SMD", "ROM"), responders = c("RR", "OR", "RD"),
        rare_events = "OR", correlations = "ZCOR", reliability = "ABT")) {
      d <- read(set)
      own <- size_one(d, measure)
      used <- which(is.finite(own$yi) & is.finite(own$vi))
      ni <- if (is.null(d$ni)) d$n1i + d$n2i else d$ni
      analyses[[paste0(set, "|", measure)]] <- list(set = set, measure = measure, y = own$yi[used],
        v = own$vi[used], ni = ni[used], rows = used)
    }
  for (name in names(analyses)) {
    a <- analyses[[name]]
    y <- a$y; v <- a$v
    entry <- list(dataset = a$set, measure = a$measure, k = length(y), rows_used =
      if (is.null(a$rows)) seq_along(y) else a$rows, yi = y, vi = v)
    entry$models <- sapply(methods, fit_model, y = y, v = v, simplify = FALSE)
    entry$confint <- Filter(Negate(is.null), list(REML_QP = intervals(y, v, "REML", "QP"),
      DL_QP = intervals(y, v, "DL", "QP"), PM_QP = intervals(y, v, "PM", "QP")))
    if (length(y) >= 5 && var(y) > 0) {
      entry <- c(entry, deeper(y, v))
      if (var(v) > 0) entry$bias <- asymmetry(y, v, a$ni)
    }
    out[[name]] <- entry
  }
  out
}

# Moderators and subgroups -------------------------------------------------------------------------
regressions <- list(c("fourteen_trials", "~dose"), c("fourteen_trials", "~factor(grp)"),
  c("fourteen_trials", "~dose + factor(grp)"), c("forty_trials", "~dose + year"),
  c("nine_trials", "~dose"), c("huge_unit", "~dose"), c("tiny_unit", "~dose + factor(grp)"),
  c("small_study_effect", "~year"), c("no_heterogeneity", "~dose"), c("outlier", "~dose"),
  c("responders", "~dose"), c("responders", "~factor(grp)"), c("responders", "~dose + factor(grp)"))
fit_regression <- function(d, formula, method) {
  out <- list()
  for (test in tests) {
    fit <- fit_with(d$yi, d$vi, method, test, mods = as.formula(formula), data = d)
    out[[test]] <- c(numbers(fit), list(QM = fit$QM, QMdf = as.vector(fit$QMdf), QMp = fit$QMp,
      vb = unname(fit$vb)))
    out[[test]]$df <- if (test == "z") NA else fit$ddf[1]
  }
  c(list(k = fit$k, tau2 = fit$tau2, se_tau2 = if (method == "EE") NA else fit$se.tau2, I2 = fit$I2,
    H2 = fit$H2, QE = fit$QE, QEp = fit$QEp, ll = c(logLik(fit)), p = fit$p, R2 = or_na(fit$R2),
    QEdf = fit$k - fit$p), out)
}
write_regressions <- function() {
  out <- list()
  for (one in regressions) if (one[1] %in% keep(one[1])) {
    d <- read(one[1])
    measure <- if (one[1] == "responders") "RR" else "GEN"
    if (measure == "RR") d[c("yi", "vi")] <- size_one(d, measure)
    out[[paste(one[1], measure, one[2], sep = "|")]] <- list(formula = one[2], k = nrow(d), models = sapply(
      c("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM"), fit_regression, d = d, formula = one[2],
      simplify = FALSE))
  }
  out
}
write_subgroups <- function() {
  out <- list()
  for (set in keep(c("fourteen_trials", "forty_trials", "huge_unit", "small_study_effect"))) {
    d <- read(set)
    entry <- list(by = sort(unique(d$grp)), methods = list())
    for (method in c("EE", "DL", "REML", "PM")) for (test in c("z", "knha")) {
      own <- lapply(entry$by, function(level) {
        fit <- with(d[d$grp == level, ], fit_with(yi, vi, method, test))
        list(level = level, k = fit$k, est = c(fit$beta), se = fit$se, lb = fit$ci.lb, ub = fit$ci.ub,
             tau2 = fit$tau2, I2 = fit$I2, QE = fit$QE)
      })
      e <- sapply(own, function(g) g$est); w <- 1 / sapply(own, function(g) g$se)^2
      q <- sum(w * (e - sum(w * e) / sum(w))^2)
      common <- fit_with(d$yi, d$vi, method, test, mods = ~ grp, data = d)
      entry$methods[[paste(method, test, sep = "_")]] <- list(groups = own, Q_between_separate_tau2 =
        list(Q = q, df = length(own) - 1, p = pchisq(q, length(own) - 1, lower.tail = FALSE)),
        common_tau2 = list(tau2 = common$tau2, QM = common$QM, QMdf = as.vector(common$QMdf),
        QMp = common$QMp, QE = common$QE))
    }
    out[[paste0(set, "|GEN")]] <- entry
  }
  out
}

# Models with several effects of a study -----------------------------------------------------------
describe <- function(fit) {
  out <- c(numbers(fit), list(sigma2 = fit$sigma2, tau2 = fit$tau2, rho = fit$rho, QE = fit$QE, QM = fit$QM,
    QMp = fit$QMp, ll = c(logLik(fit)), k = fit$k))
  out$df <- NULL
  if (length(out$est) == 1) {
    found <- predict(fit)
    out$pi_lb <- found$pi.lb; out$pi_ub <- found$pi.ub
  }
  out
}
fit_levels <- function(entry) {
  out <- list()
  for (test in c("z", "t")) {
    # As tight as nlminb comes to an end.
    for (tol in 10^-(13:9)) {
      fit <- attempt(do.call(rma.mv, c(entry$args, list(test = test, sparse = FALSE,
        control = list(rel.tol = tol, iter.max = 5000, eval.max = 5000)))))
      if (!is.null(fit)) break
    }
    out[[test]] <- describe(fit)
  }
  for (correction in if (is.null(entry$cluster)) NULL else c("CR1", "CR2")) {
    found <- quiet(robust(fit, cluster = entry$cluster, clubSandwich = correction == "CR2"))
    out[[paste0("robust_", correction)]] <- list(est = c(found$beta), se = found$se, stat = found$zval,
      df = if (correction == "CR1") found$dfs else found$ddf, p = found$pval, lb = found$ci.lb, ub = found$ci.ub)
  }
  out
}
write_levels <- function() {
  out <- list()
  d <- read("nested")
  d$effect <- seq_len(nrow(d))
  if ("nested" %in% keep("nested")) {
    models <- list("nested|~1 | study/effect|" = list(args = list(d$yi, d$vi, random = ~ 1 | study / effect, data = d)),
      "nested|~1 | lab/study/effect|" = list(args = list(d$yi, d$vi, random = ~ 1 | lab / study / effect, data = d)),
      "nested|~1 | study|" = list(args = list(d$yi, d$vi, random = ~ 1 | study, data = d)),
      "nested|~1 | study/effect|~dose" = list(args = list(d$yi, d$vi, mods = ~ dose, random = ~ 1 | study / effect, data = d)))
    for (name in names(models)) {
      outermost <- if (grepl("lab", name)) d$lab else d$study
      out[[name]] <- fit_levels(c(models[[name]], list(cluster = outermost)))
    }
  }
  if ("two_outcomes" %in% keep("two_outcomes")) {
    d <- read("two_outcomes")
    V <- bldiag(lapply(split(d[c("v1i", "v2i")], d$trial), as.matrix))
    out[["two_outcomes|~outcome | trial|~outcome - 1"]] <- fit_levels(list(args = list(d$yi, V,
      mods = ~ outcome - 1, random = ~ outcome | trial, struct = "UN", data = d)))
  }
  if ("shared_placebo" %in% keep("shared_placebo")) {
    d <- read("shared_placebo")
    v <- d$sdi^2 / d$ni
    base <- match(d$study, d$study[d$treatment == "placebo"])
    base <- which(d$treatment == "placebo")[base]
    own <- which(d$treatment != "placebo")
    V <- outer(d$study[own], d$study[own], "==") * v[base[own]] + diag(v[own])
    e <- data.frame(study = d$study[own], effect = seq_along(own))
    out[["shared_placebo|~1 | study/effect|"]] <- fit_levels(list(args = list(d$mi[own] - d$mi[base[own]], V,
      random = ~ 1 | study / effect, data = e), cluster = e$study))
  }
  out
}

# Counts pooled without effects per trial ----------------------------------------------------------
write_counts <- function() {
  out <- list()
  for (set in keep(c("responders", "rare_events", "nearly_all"))) {
    d <- read(set)
    entry <- list()
    for (measure in c("OR", "RR", "RD", "PETO")) {
      fit <- quiet(if (measure == "PETO") rma.peto(ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d)
        else rma.mh(ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d, measure = measure))
      entry[[if (measure == "PETO") measure else paste0("MH_", measure)]] <- list(est = c(fit$beta), se = fit$se,
        lb = fit$ci.lb, ub = fit$ci.ub, p = fit$pval, QE = fit$QE, QEp = fit$QEp, I2 = fit$I2, MH = or_na(fit$MH),
        MHp = or_na(fit$MHp), BD = or_na(fit$BD), TA = or_na(fit$TA))
    }
    out[[set]] <- entry
  }
  out
}

# Records of one group before and after ------------------------------------------------------------
noncentral <- function(t, df) {
  find <- function(share) uniroot(function(n) pt(t, df, n) - share, t + c(-1, 1) * (6 + abs(t)), tol = 1e-12)$root
  quiet(c(find(0.975), find(0.025)))
}
write_records <- function() {
  out <- list()
  for (set in keep("pairs")) {
    d <- read("pairs_ipd")
    n <- nrow(d); found <- t.test(d$post, d$pre, paired = TRUE)
    s1 <- sd(d$pre); s2 <- sd(d$post); r <- cor(d$pre, d$post); change <- mean(d$post - d$pre)
    entry <- list(n = n, mean_pre = mean(d$pre), sd_pre = s1, mean_post = mean(d$post), sd_post = s2,
      mean_change = change, sd_change = sd(d$post - d$pre), r = r, t = unname(found$statistic),
      df = unname(found$parameter), p = found$p.value, lb = found$conf.int[1], ub = found$conf.int[2],
      d_z = change / sd(d$post - d$pre), d_av = change / mean(c(s1, s2)), d_av_rms = change /
      sqrt((s1^2 + s2^2) / 2), d_rm = change / sd(d$post - d$pre) * sqrt(2 * (1 - r)), glass_pre = change / s1)
    for (measure in c("MC", "SMCC", "SMCR", "SMCRH", if (new) c("SMCRP", "SMCRPH"))) {
      own <- if (measure == "SMCR")
        escalc(measure, m1i = entry$mean_post, m2i = entry$mean_pre, sd1i = s1, ni = n, ri = r)
      else escalc(measure, m1i = entry$mean_post, m2i = entry$mean_pre, sd1i = s1, sd2i = s2, ni = n, ri = r)
      entry[[measure]] <- list(yi = c(own$yi), vi = own$vi)
    }
    # Steiger and Fouladi (1997), by R's noncentral t; functions of d after Cohen (1988).
    bound <- function(name, d, limits) setNames(list(d, 0.95, limits[1], limits[2]), c(name, "CI", "CI_low", "CI_high"))
    j <- function(m) exp(lgamma(m / 2) - lgamma((m - 1) / 2)) / sqrt(m / 2)
    z <- noncentral(entry$t, n - 1) / sqrt(n); dz <- entry$d_z
    w <- noncentral(entry$d_av_rms * sqrt(n / 2), 2 * n - 2) / sqrt(n / 2); dw <- entry$d_av_rms
    far <- 2 * pnorm(-max(abs(w)) / 2); near <- if (prod(w) < 0) 1 else 2 * pnorm(-min(abs(w)) / 2)
    entry$noncentral <- list(cohens_d_paired = bound("Cohens_d", dz, z), hedges_g_paired = bound("Hedges_g",
      j(n - 1) * dz, j(n - 1) * z), cohens_d_indep = bound("Cohens_d", dw, w), hedges_g_indep = bound("Hedges_g",
      j(2 * n - 2) * dw, j(2 * n - 2) * w), u3 = bound("Cohens_U3", pnorm(dw), pnorm(w)), p_superiority =
      bound("p_superiority", pnorm(dw / sqrt(2)), pnorm(w / sqrt(2))), p_superiority_paired =
      bound("p_superiority", pnorm(dz / sqrt(2)), pnorm(z / sqrt(2))), overlap = bound("Overlap",
      2 * pnorm(-abs(dw) / 2), c(far, near)))
    # Kerby (2014); limits on Fisher's scale with the standard error of the signed-rank sum.
    x <- (d$post - d$pre)[d$post != d$pre]; ranks <- rank(abs(x)); m <- length(x)
    rb <- sum(sign(x) * ranks) / sum(ranks)
    entry$noncentral$rank_biserial_paired <- bound("r_rank_biserial", rb, tanh(atanh(rb) + c(-1, 1) *
      qnorm(0.975) * sqrt((2 * m^3 + 3 * m^2 + m) / 6) / ((m^2 + m) / 2)))
    out$pairs <- entry
  }
  out
}

# Medians, quartiles and ranges --------------------------------------------------------------------
write_conversions <- function() {
  cases <- expand.grid(kind = 1:3, n = c(5, 9, 20, 75, 400), shape = 1:3)
  points <- list(c(1, 3, 5, 9, 20), c(0, 4.5, 6, 7, 10), c(-12, -5, -3.5, -2, 0))
  input <- lapply(seq_len(nrow(cases)), function(i) {
    x <- as.list(points[[cases$shape[i]]]); names(x) <- c("min", "q1", "median", "q3", "max")
    if (cases$kind[i] == 1) x[c("q1", "q3")] <- NA
    if (cases$kind[i] == 2) x[c("min", "max")] <- NA
    c(x, list(n = cases$n[i]))
  })
  d <- do.call(rbind, lapply(input, as.data.frame))
  convert <- function(method) {
    found <- conv.fivenum(min = min, q1 = q1, median = median, q3 = q3, max = max, n = n, data = d,
                          method = method, test = FALSE)
    list(mean = found$mean, sd = found$sd)
  }
  low <- c(-4.91, -3.03, -19.49, -19.54, -0.97, -14.41); high <- c(-2.09, -0.8, -6.17, -7.66, -0.04, -6.95)
  list(fivenum = list(input = input, "luo/wan/shi" = convert("luo/wan/shi"),
    wan2014 = convert("wan2014")), wald = list(vi = c(conv.wald(ci.lb = low, ci.ub = high,
    out = (low + high) / 2)$vi)))
}

write_profiles <- function() {
  out <- list()
  for (set in keep(c("three_trials", "five_trials", "nine_trials", "fourteen_trials", "forty_trials",
      "no_heterogeneity", "tiny_variances", "huge_unit", "tiny_unit", "one_large_trial", "outlier"))) {
    d <- read(set)
    out[[paste0(set, "|GEN")]] <- Filter(Negate(is.null), list(REML_PL = intervals(d$yi, d$vi, "REML", "PL"),
      ML_PL = intervals(d$yi, d$vi, "ML", "PL")))
  }
  out
}

out <- list(meta = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))))
out$escalc <- write_sizes()
out$ipd <- write_records()
if (new) {
  out$conversions <- write_conversions()
  out$profile_likelihood <- write_profiles()
} else {
  out$random_effects <- write_pooling()
  out$meta_regression <- write_regressions()
  out$subgroups <- write_subgroups()
  out$multilevel <- write_levels()
  out$mh_peto <- write_counts()
}
text <- toJSON(out, digits = NA, auto_unbox = TRUE, na = "string", null = "null")
text <- gsub('"(NA|NaN)"', "null", text)
# JSON has no infinity; what is read as one stands for it.
writeLines(gsub('"(-?)Inf"', "\\11e999", text), arguments[2])
