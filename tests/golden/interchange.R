# Reads what headway.ingest.adapters.metafor wrote, for tests/golden/test_interchange_r.py.
# Rscript interchange.R metafor.csv answers.json
suppressMessages({library(metafor); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(arguments[1], encoding = "UTF-8")

again <- function(m, raw) {
  if (m %in% c("RR", "OR", "RD")) {
    # A risk difference is never moved by a correction.
    escalc(m, ai = ai, bi = bi, ci = ci, di = di, data = raw, var.names = c("y", "v"),
           to = if (m == "RD") "none" else "only0")
  } else if (m %in% c("MD", "SMD")) {
    escalc(m, n1i = n1i, m1i = m1i, sd1i = sd1i, n2i = n2i, m2i = m2i, sd2i = sd2i, data = raw,
           var.names = c("y", "v"))
  } else {
    escalc(m, ni = ni, m1i = m1i, m2i = m2i, sd1i = sd1i, sd2i = sd2i, ri = ri, data = raw,
           var.names = c("y", "v"))
  }
}

# toJSON() ends at 15 digits; two doubles may differ after them.
exact <- function(x) sprintf("%.17g", x)

answer <- function(id) {
  rows <- subset(d, comparison == id)
  raw <- subset(rows, basis == "arms" & !is.na(yi))
  out <- list(study = rows$study, yi = exact(rows$yi), vi = exact(rows$vi), pooled = rows$pooled)
  if (nrow(raw) > 0) {
    e <- again(raw$measure[1], raw)
    out$raw <- list(slab = raw$slab, yi = raw$yi, vi = raw$vi, y = c(e$y), v = c(e$v))
  }
  used <- subset(rows, pooled)
  tight <- 1e-11 * var(used$yi)
  for (method in c("EE", "DL", "REML", "ML", "PM")) for (test in c("z", "knha", "adhoc")) {
    fit <- rma(yi, vi, data = subset(d, comparison == id & pooled), method = method, test = test,
               slab = slab, control = list(threshold = tight, tol = tight, maxiter = 10000))
    out$fits[[paste(method, test)]] <- c(fit$beta, fit$se, fit$ci.lb, fit$ci.ub, fit$tau2, fit$QE)
  }
  out
}

ids <- unique(d$comparison)
answers <- setNames(lapply(ids, answer), ids)
writeLines(toJSON(answers, digits = NA, na = "null"), arguments[2])
