# Pools clinics' changes with metafor: Rscript live_registry.R IN OUT
suppressMessages({
  library(metafor)
  library(jsonlite)
})
files <- commandArgs(trailingOnly = TRUE)
given <- fromJSON(files[1])
one <- function(d) {
  mc <- rma(d$change, d$se^2, method = "REML", test = "adhoc")
  pi <- predict(mc)
  es <- escalc("SMCR", m1i = after, m2i = before, sd1i = sd_before, ni = n, ri = r, data = d)
  smcr <- rma(yi, vi, data = es, method = "REML", test = "adhoc")
  mr <- rma(d$change, d$se^2, mods = ~ d$age, method = "REML", test = "adhoc")
  fixed <- rma(d$change, d$se^2, method = "EE")
  list(
    estimate = c(mc$beta), se = mc$se, ci_low = mc$ci.lb, ci_high = mc$ci.ub,
    pi_low = pi$pi.lb, pi_high = pi$pi.ub, tau2 = mc$tau2, i2 = mc$I2, q = mc$QE,
    smcr = c(smcr$beta), smcr_se = smcr$se,
    slope = c(mr$beta)[2], slope_se = mr$se[2], slope_low = mr$ci.lb[2], slope_high = mr$ci.ub[2],
    slope_p = mr$pval[2], target = c(fixed$beta)
  )
}
write_json(lapply(given, one), files[2], digits = 15, auto_unbox = TRUE)
