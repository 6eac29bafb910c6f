# What base R and metafor 5.1's definitions say of the made-up trial of people, for test_clinic_inside.py.
# Rscript --vanilla write_clinic.R DATA OUT
suppressMessages(library(jsonlite))
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(file.path(arguments[1], "two_arms_of_people.csv"))
d$f2[is.na(d$pk2)] <- NA; d$f5[is.na(d$pk5)] <- NA
j <- function(m) exp(lgamma(m / 2) - lgamma((m - 1) / 2)) / sqrt(m / 2)
wilson <- function(x, n) as.vector(prop.test(x, n, correct = FALSE)$conf.int)
describe <- function(pre, post) {
  known <- !is.na(pre) & !is.na(post)
  pre <- pre[known]; post <- post[known]; n <- length(pre); r <- cor(pre, post); change <- post - pre
  # Becker (1988) for SMCR, Gibbons and others (1993) for SMCC, both with the exact correction; Lajeunesse (2011, 2015)
  # for the ratio of means with its correction; SMCRH after Bonett (2008).
  g <- j(n - 1) * mean(change) / sd(pre); z <- j(n - 1) * mean(change) / sd(change)
  v <- 2 * (1 - r) / n + g^2 / (2 * n)
  half <- qnorm(0.975) * sqrt(v)
  cell <- function(x) sd(x)^2 / (n * mean(x)^2)
  half50 <- sum(post <= 0.5 * pre & pre > 0); half30 <- sum(post <= 0.7 * pre & pre > 0)
  list(n = n, pre_mean = mean(pre), pre_sd = sd(pre), post_mean = mean(post), post_sd = sd(post),
    change_mean = mean(change), change_sd = sd(change), r = r,
    change_t = as.vector(t.test(change)$conf.int), smcc = z, smcr = g, smcr_ci = g + c(-half, half),
    romc = log(mean(post) / mean(pre)) + (cell(post) - cell(pre)) / 2,
    responders_50 = 100 * half50 / sum(pre > 0), responders_50_wilson = 100 * wilson(half50, sum(pre > 0)),
    responders_30 = 100 * half30 / sum(pre > 0))
}
by_arm <- lapply(c(usual = 0, treated = 1), function(g) with(d[d$group == g, ],
  list(of = length(f1), month_3 = describe(f1, f2), month_12 = describe(f1, f5))))
usual <- d[d$group == 0 & !is.na(d$f2), ]
r <- cor(usual$f1, usual$f2)
sem <- sd(c(usual$f1)) * sqrt(1 - r)
raw <- read.csv(file.path(arguments[1], "two_arms_of_people.csv"))
raw <- raw[raw$group == 0, ]
twelve <- d[d$group == 0 & !is.na(d$f5), ]
scan <- lapply(c(6, 8, 10, 16), function(mu) {
  fit <- lm(I(f5 - mu) ~ I(f1 - mu), data = twelve)
  list(mu = mu, effect = unname(coef(fit)[1]), ci = unname(confint(fit)[1, ]))
})
# Barnett and others (2005), equation 2: people above a cutoff, the mean of m earlier measurements.
cutoff <- function(mu, s, rho, c, m) {
  within <- s^2 * (1 - rho); between <- s^2 * rho
  z <- (c - mu) / sqrt(between + within / m)
  (within / m) / sqrt(between + within / m) * dnorm(z) / pnorm(z, lower.tail = FALSE)
}
cases <- expand.grid(mu = c(10, 12), s = 6, rho = c(0.5, 0.75), cutoff = c(8, 15), m = c(1, 2, 4))
cases$rtm <- with(cases, cutoff(mu, s, rho, cutoff, m))
lost <- with(d, t.test(pk1[is.na(pk5)], pk1[!is.na(pk5)]))
adjusted <- lm(pk5 ~ group + pk1 + age + sex + migraine, data = d)
out <- list(arms = by_arm, literal_usual_change = mean(raw$f5 - raw$f1), noise = list(n = nrow(usual), r = r),
  mee_chua = scan, cutoff = cases, lost = list(mean_lost = unname(lost$estimate[1]), mean_kept =
  unname(lost$estimate[2]), ci = as.vector(lost$conf.int)), ancova = list(estimate = unname(coef(adjusted)["group"]),
  ci = unname(confint(adjusted)["group", ])))
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE, na = "null"), arguments[2])
