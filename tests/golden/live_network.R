# Pools networks of treatments of R's metadat with metafor's rma.mv, for test_live_network.py.
# Rscript live_network.R answers.json [FOLDER]
# With FOLDER the networks are the made-up ones there (write_golden.py), not those of metadat.
# Contrasts and their covariances are made here from the arms, not by the code under test.
suppressMessages({library(metafor); library(metadat); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
long <- function(d, name, parts, sets, ...) {
  rows <- lapply(sets, function(s) {
    out <- data.frame(study = as.character(d[[name]]), treatment = as.character(d[[paste0(parts[1], s)]]))
    for (p in parts[-1]) out[[p]] <- d[[paste0(p, s)]]
    out
  })
  out <- do.call(rbind, rows)
  out[!is.na(out$treatment) & out$treatment != "" & stats::complete.cases(out[, parts[-1]]), ]
}
made_up <- function(folder) Map(function(name, measure)
  list(measure, read.csv(file.path(folder, paste0(name, ".csv")))),
  c(network_means = "network_means", network_events = "network_events", network_rare = "network_rare"),
  c("MD", "OR", "RR"))
of_metadat <- function() list(
  hasselblad1998 = list("OR", with(dat.hasselblad1998, data.frame(study, treatment = trt, events = xi, n = ni))),
  pagliaro1992 = list("OR", with(dat.pagliaro1992, data.frame(study, treatment = trt, events = xi, n = ni))),
  senn2013 = list("MD", with(dat.senn2013, data.frame(study, treatment, n = ni, mean = mi, sd = sdi))),
  woods2010 = list("RR", with(dat.woods2010, data.frame(study = author, treatment, events = r, n = N))),
  dong2013 = list("OR", with(dat.dong2013, data.frame(study = id, treatment, events = death, n = randomized))),
  dogliotti2014 = list("RR", with(dat.dogliotti2014, data.frame(study = id, treatment, events = stroke, n = total))),
  gurusamy2011 = list("OR", with(dat.gurusamy2011, data.frame(study, treatment, events = death, n))),
  baker2009 = list("OR", with(dat.baker2009, data.frame(study = id, treatment, events = exac, n = total))),
  franchini2012 = list("MD", {
    d <- dat.franchini2012
    names(d) <- sub("^Treatment", "t", names(d))
    d <- long(d, "Study", c("t", "n", "y", "sd"), 1:3)
    data.frame(study = d$study, treatment = d$treatment, n = d$n, mean = d$y, sd = d$sd)
  }),
  stowe2010 = list("MD", {
    d <- long(dat.stowe2010, "id", c("t", "n", "y", "sd"), 1:3)
    data.frame(study = d$study, treatment = d$treatment, n = d$n, mean = d$y, sd = d$sd)
  }),
  linde2015 = list("OR", {
    d <- long(dat.linde2015, "id", c("treatment", "n", "resp"), 1:3)
    data.frame(study = d$study, treatment = d$treatment, events = d$resp, n = d$n)
  })
)
contrasts_of <- function(measure, d) {
  d$study <- as.character(d$study); d$treatment <- as.character(d$treatment)
  # Arms of one treatment in one trial are one arm here: the first.
  d <- d[!duplicated(d[, c("study", "treatment")]), ]
  d <- d[d$study %in% names(which(table(d$study) > 1)), ]
  d <- d[order(match(d$study, unique(d$study)), d$treatment, method = "radix"), ]
  if (measure == "MD") {
    level <- d$mean; v <- d$sd^2 / d$n
  } else {
    touched <- ave(d$events == 0 | d$events == d$n, d$study, FUN = max) > 0
    x <- d$events + 0.5 * touched; n <- d$n + touched
    if (measure == "OR") { level <- log(x / (n - x)); v <- 1 / x + 1 / (n - x) }
    else { level <- log(x / n); v <- 1 / x - 1 / n }
  }
  rows <- split(seq_len(nrow(d)), factor(d$study, unique(d$study)))
  y <- unlist(lapply(rows, function(i) level[i[-1]] - level[i[1]]), use.names = FALSE)
  V <- as.matrix(metafor::bldiag(lapply(rows, function(i) diag(v[i[-1]], length(i) - 1) + v[i[1]])))
  study <- unlist(lapply(rows, function(i) d$study[i[-1]]), use.names = FALSE)
  one <- unlist(lapply(rows, function(i) d$treatment[i[-1]]), use.names = FALSE)
  base <- unlist(lapply(rows, function(i) rep(d$treatment[i[1]], length(i) - 1)), use.names = FALSE)
  list(arms = d, y = y, V = V, study = study, treatment = one, base = base)
}
fit_one <- function(entry) {
  c <- contrasts_of(entry[[1]], entry[[2]])
  names <- sort(unique(c(c$treatment, c$base)), method = "radix")
  X <- sapply(names, function(t) (c$treatment == t) - (c$base == t))[, -1, drop = FALSE]
  # rma.mv stops early where tau2 is small: the root of the score is found to the last digit here,
  # and rma.mv fits at it.
  G <- outer(c$study, c$study, "==") * (diag(0.5, length(c$y)) + 0.5)
  score <- function(t, restricted) {
    W <- solve(c$V + t * G)
    P <- W - W %*% X %*% solve(t(X) %*% W %*% X, t(X) %*% W)
    trace <- sum((if (restricted) P else W) * G)
    as.numeric(t(c$y) %*% P %*% G %*% P %*% c$y) - trace
  }
  fits <- lapply(c(REML = "REML", ML = "ML", EE = "EE"), function(method) {
    restricted <- method == "REML"
    tau2 <- 0
    if (method != "EE" && score(0, restricted) > 0)
      tau2 <- uniroot(score, c(0, 100 * max(diag(c$V))), restricted, tol = 1e-15)$root
    fit <- suppressWarnings(rma.mv(c$y, c$V, mods = X, intercept = FALSE, sparse = FALSE,
      random = ~ arm | study, rho = 1 / 2, tau2 = tau2, method = if (method == "ML") "ML" else "REML",
      data = data.frame(study = c$study, arm = c$treatment)))
    list(estimate = as.vector(fit$beta), se = fit$se, tau2 = tau2, q = fit$QE, df = fit$k - fit$p,
         height = as.vector(logLik(fit)))
  })
  list(measure = entry[[1]], arms = c$arms, treatments = names, fits = fits,
       y = c$y, V = c$V, study = c$study, treatment = c$treatment, base = c$base)
}
arms <- if (length(arguments) > 1) made_up(arguments[2]) else of_metadat()
writeLines(toJSON(lapply(arms, fit_one), digits = NA, auto_unbox = TRUE, na = "null"), arguments[1])
