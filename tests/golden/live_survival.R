# Fits Kaplan-Meier and Turnbull curves and restricted means with R's survival, for
# test_live_survival.py.
# Rscript live_survival.R data.json answers.json
suppressMessages({library(survival); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
data <- fromJSON(arguments[1], simplifyVector = TRUE, simplifyDataFrame = FALSE)
fit_set <- function(set) {
  fit <- survfit(Surv(set$time, set$event) ~ 1, conf.type = "log-log")
  row <- summary(fit, rmean = set$horizon)$table
  # R's intervals are closed: a tenth later they do not touch.
  right <- ifelse(set$right == 0, as.numeric(NA), set$right)
  turnbull <- survfit(Surv(set$left + 0.1, right, type = "interval2") ~ 1)
  list(time = fit$time, s = fit$surv, rmst = row[[grep("rmean", names(row))[1]]],
       free = summary(turnbull, times = set$at + 0.05, extend = TRUE)$surv)
}
writeLines(toJSON(lapply(data, fit_set), digits = NA, auto_unbox = TRUE, na = "null"), arguments[2])
