# Draws the made-up data sets below inside/golden/metafor/data.
# Rscript --vanilla made_up.R FOLDER
# Columns are named as in metafor's own data sets.
RNGversion("4.2.2")
set.seed(20261130)
folder <- commandArgs(trailingOnly = TRUE)[1]
store <- function(name, d) {
  write.csv(data.frame(study = seq_len(nrow(d)), d), file.path(folder, paste0(name, ".csv")),
            row.names = FALSE, quote = FALSE, eol = "\n")
}
moderators <- function(k) {
  data.frame(year = 1985 + sort(sample(0:35, k, replace = TRUE)), dose = round(runif(k, 0, 10), 1),
             grp = rep_len(c("manual", "needle", "other"), k))
}

# Effects as they are, with moderators and sizes: every reach of k, of tau2 and of unit.
effects <- function(name, k, tau = 0.3, mu = -0.4, unit = 1, spread = 0.8, v = NULL, y = NULL) {
  ni <- round(exp(rnorm(k, log(60), spread))) + 8
  m <- moderators(k)
  if (is.null(v)) v <- 4 / ni
  if (is.null(y)) y <- rnorm(k, mu + 0.03 * (m$dose - 5), sqrt(v + tau^2))
  store(name, data.frame(ni, yi = signif(unit * y, 10), vi = signif(unit^2 * v, 10), m))
}
effects("two_trials", 2)
effects("three_trials", 3, tau = 0.6)
effects("five_trials", 5)
effects("nine_trials", 9, tau = 0.5)
effects("fourteen_trials", 14, tau = 0.2, spread = 1.2)
effects("forty_trials", 40, tau = 0.4)
effects("equal_effects", 6, y = rep(-0.25, 6))
effects("no_heterogeneity", 10, tau = 0, y = -0.3 + c(-1, 1, -2, 2, 0, 1, -1, 2, -2, 0) / 40)
effects("equal_variances", 8, v = rep(0.04, 8))
effects("tiny_variances", 7, tau = 0.5, v = 1e-6 * (1:7))
effects("huge_unit", 11, tau = 0.4, unit = 1e5)
effects("tiny_unit", 11, tau = 0.4, unit = 1e-4)
effects("all_below_zero", 12, mu = -3, tau = 0.5)
local({
  v <- c(0.0004, 0.02, 0.05, 0.09, 0.3, 0.8, 1.5, 2.5)
  effects("one_large_trial", 8, v = v, y = c(-0.05, rnorm(7, -0.9, sqrt(v[-1] + 0.1))))
  v <- 4 / c(30, 45, 60, 80, 100, 140, 200, 300, 400, 60)
  effects("outlier", 10, v = v, y = c(rnorm(9, -0.3, sqrt(v[1:9])), 2.4))
  v <- 4 / round(exp(rnorm(24, log(60), 0.9)) + 8)
  effects("small_study_effect", 24, v = v, y = rnorm(24, -0.1 - 1.2 * sqrt(v), sqrt(v + 0.02)))
})

# Two groups: means and SDs of a diary count, and the edges.
two <- function(k) {
  n1 <- 10 + rpois(k, 40); n2 <- 10 + rpois(k, 35); base <- runif(k, 8, 18)
  data.frame(n1i = n1, m1i = round(base - rnorm(k, 2.5, 1.2), 3), sd1i = round(runif(k, 3, 7), 3),
             n2i = n2, m2i = round(base, 3), sd2i = round(runif(k, 3, 7), 3), moderators(k))
}
store("two_groups", two(15))
edge <- two(14)
edge$m1i[1] <- edge$m2i[1]                                          # no effect
edge[2, c("n1i", "n2i")] <- c(3, 4)                                 # next to nobody
edge[3, c("n1i", "n2i")] <- c(210, 190)
edge[4, c("m1i", "sd1i", "m2i", "sd2i")] <- c(3e6, 8e5, 4e6, 9e5)   # huge and tiny units
edge[5, c("m1i", "sd1i", "m2i", "sd2i")] <- c(2e-5, 4e-6, 3e-5, 5e-6)
edge[6, c("m1i", "m2i")] <- c(-4, -6.5)                             # a ratio of negative means
edge[7, c("m1i", "m2i")] <- c(-1, 2)                                # no ratio of means
edge[8, c("sd1i", "sd2i")] <- c(0.001, 0.002)                       # d in the hundreds
edge[9, c("sd1i", "sd2i")] <- c(0.5, 25)                            # unequal SDs
edge[10, c("n1i", "n2i")] <- c(5, 900)
edge[11, c("n1i", "n2i")] <- c(900, 5)
edge$m1i[12] <- NA                                                  # a mean that is missing
edge$m1i[13] <- edge$m2i[13] + 1e-9
store("two_groups_edges", edge)

# Before and after: any correlation, no change, a fall to next to nothing.
grid <- expand.grid(ri = c(-0.4, 0, 0.3, 0.7, 0.98), ni = c(4, 11, 60), change = c(-12, -3, 0, 1))
pairs <- with(grid, data.frame(ni, m1i = 14 + change + round(runif(60, -0.5, 0.5) * (change != 0), 2),
  sd1i = round(runif(60, 3, 7), 2), m2i = 14, sd2i = round(runif(60, 3, 7), 2), ri))
store("before_after", pairs)
k <- 9
store("controlled", data.frame(nT = 12 + rpois(k, 30), mpreT = round(runif(k, 12, 18), 2),
  mpostT = round(runif(k, 7, 14), 2), sdpreT = round(runif(k, 3, 6), 2), nC = 12 + rpois(k, 30),
  mpreC = round(runif(k, 12, 18), 2), mpostC = round(runif(k, 11, 16), 2),
  sdpreC = round(runif(k, 3, 6), 2), rT = round(runif(k, 0.2, 0.9), 2)))
store("means", data.frame(ni = c(3, 8, 20, 45, 90, 400, 33, 12), mi = c(15, 12.5, -3, 8, 11, 1e5, 0, 9),
  sdi = c(4, 6.5, 2, 5, 4.4, 2e4, 3, 7)))

# Counts: common, rare with empty cells and trials without events, and next to everyone.
tables <- function(k, risk, ratio = 0.7) {
  n1 <- 12 + rpois(k, 60); n2 <- 12 + rpois(k, 60); p <- plogis(qlogis(risk) + rnorm(k, 0, 0.4))
  data.frame(ai = rbinom(k, n1, pmin(1, ratio * p)), n1i = n1, ci = rbinom(k, n2, p), n2i = n2)
}
store("responders", data.frame(tables(16, 0.4, 1.4), moderators(16)))
rare <- tables(12, 0.04); rare[1, c("ai", "ci")] <- 0; rare[2, "ai"] <- 0; rare[3, "ci"] <- 0
rare[2, "ci"] <- 3; rare[3, "ai"] <- 2
store("rare_events", data.frame(rare, moderators(12)))
most <- tables(9, 0.9, 1); most[1, "ai"] <- most[1, "n1i"]; most[2, "ci"] <- most[2, "n2i"]
most[3, c("ai", "ci")] <- most[3, c("n1i", "n2i")]
store("nearly_all", data.frame(most, moderators(9)))
store("attacks", data.frame(x1i = c(4, 9, 150, 0, 12, 0), t1i = c(120, 6.2, 410, 40.5, 88, 15),
  x2i = c(9, 11, 260, 3, 0, 0), t2i = c(118.5, 5.9, 402, 38, 90, 16)))
store("relapses", data.frame(xi = c(0, 1, 5, 17, 40, 88, 60, 7), ni = c(20, 35, 40, 30, 80, 400, 60, 9)))
store("correlations", data.frame(ni = c(5, 12, 30, 60, 150, 900, 42, 77, 26, 51),
  ri = c(0.3, -0.6, 0, 0.99, 0.45, 0.12, -0.95, 0.5, 0.61, 0.33)))
store("reliability", data.frame(ai = c(0.55, 0.7, 0.82, 0.91, 0.97, 0.3, 0.75), mi = c(2, 4, 6, 10, 25, 3, 5),
  ni = c(25, 60, 110, 300, 80, 45, 150)))

# Several effects of one study, and of one trial on two outcomes; arms that share a control.
nested <- data.frame(study = rep(1:18, times = rep_len(c(1, 2, 3, 4), 18)))
nested <- data.frame(lab = (nested$study - 1) %/% 3 + 1, nested)
k <- nrow(nested)
v <- round(runif(k, 0.02, 0.2), 4)
nested <- data.frame(nested, dose = round(runif(k, 0, 10), 1), yi = signif(-0.3 + rnorm(6, 0, 0.3)[nested$lab] +
  rnorm(18, 0, 0.3)[nested$study] + rnorm(k, 0, sqrt(v + 0.05)), 8), vi = v)
write.csv(nested, file.path(folder, "nested.csv"), row.names = FALSE, quote = FALSE)
k <- 12
v1 <- round(runif(k, 0.01, 0.08), 4); v2 <- round(runif(k, 0.01, 0.08), 4)
cov <- signif(0.5 * sqrt(v1 * v2), 6)
true <- matrix(rnorm(2 * k), k) %*% chol(matrix(c(0.06, 0.03, 0.03, 0.04), 2))
y1 <- -0.4 + true[, 1] + rnorm(k, 0, sqrt(v1)); y2 <- 0.2 + true[, 2] + rnorm(k, 0, sqrt(v2))
write.csv(data.frame(trial = rep(1:k, each = 2), outcome = c("AL", "PD"), yi = signif(c(rbind(y1, y2)), 8),
  v1i = c(rbind(v1, cov)), v2i = c(rbind(cov, v2))), file.path(folder, "two_outcomes.csv"),
  row.names = FALSE, quote = FALSE)
arms <- do.call(rbind, lapply(1:11, function(s) {
  t <- c("placebo", sample(c("massage", "needling", "tape"), if (s %% 3) 1 else 2))
  data.frame(study = s, treatment = t, ni = 15 + rpois(length(t), 25),
             mi = round(12 - 2 * (t != "placebo") + rnorm(length(t)), 2), sdi = round(runif(length(t), 3, 6), 2))
}))
write.csv(arms, file.path(folder, "shared_placebo.csv"), row.names = FALSE, quote = FALSE)

# One group's own records: headache days before and after.
pre <- pmin(28, pmax(1, round(rnorm(24, 15, 5))))
store("pairs_ipd", data.frame(pre, post = pmin(28, pmax(0, round(0.6 * pre + rnorm(24, 2, 4))))))

# Networks of treatments: trials of two and three arms, one treatment that a single trial holds.
network <- function(k, several) {
  names <- c("care", "massage", "needling", "sham", "exercise")
  do.call(rbind, lapply(seq_len(k), function(s) data.frame(study = paste0("T", s), treatment =
    if (s == k) c("care", "taping") else sample(names, if (s %in% several) 3 else 2))))
}
write_network <- function(name, d) write.csv(d, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
local({
  d <- network(16, c(3, 8, 12)); m <- nrow(d)
  drop <- c(care = 0, massage = -1.5, needling = -2.2, sham = -0.8, exercise = -1, taping = -0.5)
  write_network("network_means", data.frame(d, n = 20 + rpois(m, 30), mean = round(12 + drop[d$treatment] +
    rnorm(m, 0, 0.8), 2), sd = round(runif(m, 3, 6), 2)))
  d <- network(14, c(2, 9)); m <- nrow(d); n <- 30 + rpois(m, 40)
  logit <- -0.6 + c(care = 0, massage = 0.5, needling = 0.8, sham = 0.2, exercise = 0.4, taping = 0.3)[d$treatment]
  write_network("network_events", data.frame(d, events = rbinom(m, n, plogis(logit + rnorm(m, 0, 0.3))), n))
  d <- network(10, 5); m <- nrow(d); n <- 40 + rpois(m, 40)
  write_network("network_rare", data.frame(d, events = ifelse(seq_len(m) %in% c(3, 10), 0, 1 + rbinom(m, n, 0.06)), n))
})

# Two arms of people with a diary before, at 3 and at 12 months; who stopped has stored zeros.
local({
  k <- 260; group <- rbinom(k, 1, 0.5)
  level <- rnorm(k, 16, 5); days <- function(fall) pmin(28, pmax(0, round(2 * (level - fall * group + rnorm(k, -1.5, 3.5))) / 2))
  f1 <- pmin(28, pmax(1, round(2 * (level + rnorm(k, 0, 3))) / 2))
  f2 <- days(1.5); f5 <- days(2.5)
  score <- function(f) pmax(0, round(4 * (1.5 * f + rnorm(k, 0, 6))) / 4)
  pk1 <- score(f1); pk2 <- score(f2); pk5 <- score(f5)
  gone2 <- runif(k) < plogis(-2.2 + 0.05 * (pk1 - 24)); gone5 <- gone2 | runif(k) < 0.12
  pk2[gone2] <- NA; f2[gone2] <- 0; pk5[gone5] <- NA; f5[gone5] <- 0
  write.csv(data.frame(id = 100 + seq_len(k), age = 20 + rpois(k, 25), sex = rbinom(k, 1, 0.8), migraine = rbinom(k, 1, 0.9),
    date_randomized = "01/01/1900", group, pk1, pk2, pk5, f1, f2, f5), file.path(folder, "two_arms_of_people.csv"),
    row.names = FALSE, quote = FALSE, na = "")
})
