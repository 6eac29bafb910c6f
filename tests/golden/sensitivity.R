# Answers of R's mice, geepack and lme4 to the data in the first file, into the second.
suppressMessages({
  library(jsonlite)
  library(mice)
  library(geepack)
  library(lme4)
})
files <- commandArgs(trailingOnly = TRUE)
data <- fromJSON(files[1])
answers <- list(versions = list(
  R = as.character(getRversion()), mice = as.character(packageVersion("mice")),
  geepack = as.character(packageVersion("geepack")), lme4 = as.character(packageVersion("lme4"))
))

# Rubin's rules with Barnard and Rubin's degrees of freedom.
answers$rubin <- lapply(seq_len(nrow(data$rubin)), function(i) {
  set <- data$rubin[i, ]
  p <- pool.scalar(unlist(set$q), unlist(set$u), n = set$complete_df + 1, k = 1)
  list(estimate = p$qbar, variance = p$t, df = p$df, fmi = p$fmi)
})

# Predictive mean matching, 400 sets of one incomplete table; it takes half a minute.
if (length(files) == 2) {
  people <- as.data.frame(data$people)
  filled <- mice(people, m = 400, maxit = 10, method = "pmm", seed = 1, printFlag = FALSE)
  change <- sapply(seq_len(400), function(i) {
    d <- complete(filled, i)
    d <- d$post - d$pre
    c(mean(d), var(d) / length(d))
  })
  answers$pmm <- list(
    mean = mean(change[1, ]), between = var(change[1, ]), within = mean(change[2, ])
  )
}

# Estimating equations at the working correlation that is given; days as weights of the shares.
rows <- as.data.frame(data$rows)
rows$level <- factor(rows$level, levels = c("before", "after", "window x"))
pairs <- sum(choose(table(rows$person), 2))
fit_at <- function(formula, family, correlation) {
  fit <- geeglm(formula, id = person, data = rows, family = family, corstr = "fixed",
                zcor = rep(correlation, pairs),
                control = geese.control(epsilon = 1e-10, maxit = 100))
  list(coefficients = unname(coef(fit)), covariance = unname(vcov(fit)))
}
answers$binomial <- fit_at(cbind(count, days - count) ~ level, binomial, data$correlation$binomial)
answers$poisson <- fit_at(count ~ level + offset(log(days)), poisson, data$correlation$poisson)

# Linear mixed model.
rows$value <- 28 * rows$count / rows$days
fit <- lmer(value ~ level + (1 | person), data = rows, REML = TRUE)
answers$mixed <- list(
  coefficients = unname(fixef(fit)), se = unname(sqrt(diag(as.matrix(vcov(fit))))),
  between = as.data.frame(VarCorr(fit))$sdcor[1], within = sigma(fit)
)
write_json(answers, files[2], auto_unbox = TRUE, digits = NA, matrix = "rowmajor")
