# metafor's side of benchmarks/meta.py.
#   Rscript meta.R fits   effects.csv variances.csv out.csv    answers at tight stopping rules
#   Rscript meta.R subsets effects.csv variances.csv out.csv   the same of all subsets of a set
#   Rscript meta.R time   what effects.csv variances.csv repeats
# "time" prints the median of seconds per fit and how many fits did not converge; fits are warmed up,
# and R's start is not counted.
suppressMessages(library(metafor))
arguments <- commandArgs(trailingOnly = TRUE)
y <- unname(as.matrix(read.csv(arguments[length(arguments) - 2], header = FALSE)))
v <- unname(as.matrix(read.csv(arguments[length(arguments) - 1], header = FALSE)))

if (arguments[1] == "fits") {
  y <- unname(as.matrix(read.csv(arguments[2], header = FALSE)))
  v <- unname(as.matrix(read.csv(arguments[3], header = FALSE)))
  rows <- lapply(seq_len(nrow(y)), function(i) {
    fit <- rma(y[i, ], v[i, ], method = "REML", test = "knha",
               control = list(threshold = 1e-12, maxiter = 10000))
    foretold <- predict(fit)
    limits <- confint(fit, control = list(tol = 1e-12))$random["tau^2", ]
    c(fit$tau2, fit$beta, fit$se, fit$ci.lb, foretold$pi.lb, limits[2], limits[3])
  })
  write.table(do.call(rbind, rows), arguments[4], sep = ",", row.names = FALSE, col.names = FALSE)
  quit()
}

if (arguments[1] == "subsets") {
  y <- unname(as.matrix(read.csv(arguments[2], header = FALSE)))
  v <- unname(as.matrix(read.csv(arguments[3], header = FALSE)))
  all <- gosh(rma(y[1, ], v[1, ], method = "REML",
                  control = list(threshold = 1e-12, maxiter = 10000)), progbar = FALSE)
  write.table(cbind(all$incl * 1, all$res[, c("estimate", "tau2")]), arguments[4], sep = ",",
              row.names = FALSE, col.names = FALSE)
  quit()
}

what <- arguments[2]
repeats <- as.integer(arguments[5])
once <- switch(what,
  batch = function(i) predict(rma(y[i, ], v[i, ], method = "REML", test = "knha")),
  single = function(i) rma(y[1, ], v[1, ], method = "REML", test = "knha"),
  qprofile = {
    fits <- lapply(seq_len(nrow(y)), function(i) {
      rma(y[i, ], v[i, ], method = "REML", control = list(maxiter = 10000, stepadj = 0.5))
    })
    function(i) confint(fits[[i]])
  },
  gosh = {
    fit <- rma(y[1, ], v[1, ], method = "REML")
    function(i) gosh(fit, subsets = 1000, progbar = FALSE)
  })
rows <- function(n) (seq_len(n) - 1) %% nrow(y) + 1
# At default settings some sets do not converge: they count as timed, and are counted.
failed <- 0
attempt <- function(i) tryCatch(once(i), error = function(e) failed <<- failed + 1)
for (i in rows(min(5, repeats))) attempt(i)
failed <- 0
seconds <- vapply(rows(repeats), function(i) {
  started <- Sys.time()
  attempt(i)
  as.numeric(Sys.time() - started, units = "secs")
}, 0)
cat(median(seconds), failed, "\n")
