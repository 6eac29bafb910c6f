# Fits made-up data with R's metafor, for tests/golden/test_live_metafor.py.
# Rscript live_metafor.R data.json answers.json
suppressMessages({library(metafor); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
data <- fromJSON(arguments[1], simplifyVector = TRUE, simplifyDataFrame = FALSE)
methods <- c("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")

attempt <- function(expression) tryCatch(expression, error = function(e) NULL)

fit_set <- function(set) {
  y <- set$y; v <- set$v
  tight <- list(threshold = 1e-11 * var(y), tol = 1e-11 * var(y), maxiter = 10000)
  answers <- list(models = list(), regressions = list())
  for (method in methods) for (test in c("z", "knha", "adhoc")) {
    fit <- attempt(rma(y, v, method = method, test = test, control = tight))
    if (is.null(fit)) next
    foretold <- predict(fit)
    answers$models[[paste(method, test)]] <- list(
      tau2 = fit$tau2, estimate = c(fit$beta), se = fit$se, low = fit$ci.lb, high = fit$ci.ub,
      p = fit$pval, pi_low = foretold$pi.lb, pi_high = foretold$pi.ub, se_tau2 = fit$se.tau2,
      q = fit$QE, i2 = fit$I2, h2 = fit$H2, ll = c(logLik(fit)))
  }
  if (length(y) > 5) {
    x <- set$x; g <- factor(set$g)
    for (method in methods) for (test in c("z", "knha")) {
      fit <- attempt(rma(y, v, mods = ~ x + g, method = method, test = test, control = tight))
      if (is.null(fit)) next
      answers$regressions[[paste(method, test)]] <- list(
        tau2 = fit$tau2, estimate = c(fit$beta), se = fit$se, qm = fit$QM, qmp = fit$QMp,
        qe = fit$QE, i2 = fit$I2, ll = c(logLik(fit)))
    }
    fit <- rma(y, v, method = "DL")
    found <- influence(fit)
    answers$influence <- c(unclass(found$inf)[c("rstudent", "dffits", "cook.d", "cov.r",
      "tau2.del", "QE.del", "hat")], list(dfbs = unclass(found$dfbs)[[1]]))
    # Its search for the limits ends at 100 whatever the unit, unless it is told otherwise.
    wide <- c(tight[c("tol", "maxiter")], tau2.max = 1e3 * (var(y) + max(v)))
    limits <- confint(rma(y, v, method = "REML", control = tight), control = wide)
    answers$confint <- limits$random["tau^2", ]
  }
  answers
}

writeLines(toJSON(lapply(data, fit_set), digits = NA, auto_unbox = TRUE, na = "null"), arguments[2])
