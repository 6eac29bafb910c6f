# Answers of R's metafor to the 2 x 2 tables in the first file, into the second. `drop00` and 0.5 in
# the sums are what RevMan does; its own Q of a random Mantel-Haenszel analysis metafor has not.
suppressMessages({
  library(jsonlite)
  library(metafor)
})
options(warn = -1)
files <- commandArgs(trailingOnly = TRUE)
sets <- fromJSON(files[1], simplifyVector = TRUE, simplifyDataFrame = FALSE)
take <- function(fit) {
  list(k = fit$k.yi, estimate = as.numeric(fit$beta), se = fit$se, ci_low = fit$ci.lb,
       ci_high = fit$ci.ub, q = fit$QE, p_value = fit$pval, i2 = fit$I2)
}
answers <- lapply(sets, function(s) {
  at <- list(ai = s$a, bi = s$b, ci = s$c, di = s$d)
  out <- list()
  for (measure in c("OR", "RR")) {
    out[[paste0("MH_", measure)]] <- take(do.call(rma.mh, c(at, list(
      measure = measure, add = c(0.5, 0.5), to = c("only0", "only0"), drop00 = c(TRUE, TRUE)))))
    for (method in c("EE", "DL", "REML")) for (test in c("z", "knha")) {
      if (method == "EE" && test == "knha") next
      fit <- do.call(rma, c(at, list(
        measure = measure, drop00 = TRUE, method = method, test = test,
        control = list(threshold = 1e-12, maxiter = 10000))))
      one <- take(fit)
      one$k <- fit$k
      one$tau2 <- fit$tau2
      if (method != "EE") {
        p <- predict(fit)
        one$pi_low <- p$pi.lb
        one$pi_high <- p$pi.ub
      }
      out[[paste("IV", measure, method, test, sep = "_")]] <- one
    }
  }
  out$MH_RD <- list(estimate = as.numeric(do.call(rma.mh, c(at, list(measure = "RD")))$beta))
  out$Peto <- take(do.call(rma.peto, c(at, list(add = 0, to = "none", drop00 = TRUE))))
  out
})
writeLines(toJSON(list(
  metafor = as.character(packageVersion("metafor")), answers = answers
), digits = NA, auto_unbox = TRUE, pretty = 1), files[2])
