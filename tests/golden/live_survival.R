# Fits Kaplan-Meier curves and restricted means with R's survival, for test_live_survival.py.
# Rscript live_survival.R data.json answers.json
suppressMessages({library(survival); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
data <- fromJSON(arguments[1], simplifyVector = TRUE, simplifyDataFrame = FALSE)
fit_set <- function(set) {
  fit <- survfit(Surv(set$time, set$event) ~ 1, conf.type = "log-log")
  row <- summary(fit, rmean = set$horizon)$table
  list(time = fit$time, n = fit$n.risk, d = fit$n.event, s = fit$surv, low = fit$lower,
       high = fit$upper, rmst = row[[grep("rmean", names(row))[1]]],
       se = row[[grep("se\\(rmean", names(row))[1]]])
}
writeLines(toJSON(lapply(data, fit_set), digits = NA, auto_unbox = TRUE, na = "null"), arguments[2])
