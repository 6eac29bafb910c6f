# metafor's side of benchmarks/network.py.
#   Rscript network.R contrasts.csv covariance.csv design.csv seconds.csv answers.csv repeats
# contrasts.csv: y, trial, arm. Fits are warmed up, and R's start is not counted.
suppressMessages(library(metafor))
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(arguments[1])
V <- unname(as.matrix(read.csv(arguments[2], header = FALSE)))
X <- unname(as.matrix(read.csv(arguments[3], header = FALSE)))
once <- function() {
  rma.mv(d$y, V, mods = X, intercept = FALSE, random = ~ arm | trial, struct = "CS", rho = 1 / 2,
         method = "REML", data = d, sparse = FALSE)
}
fit <- once()
spent <- sapply(seq_len(as.integer(arguments[6])), function(i) system.time(once())[["elapsed"]])
write.table(spent, arguments[4], row.names = FALSE, col.names = FALSE)
write.table(c(fit$tau2, fit$beta, fit$se), arguments[5], row.names = FALSE, col.names = FALSE)
