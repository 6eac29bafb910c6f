# data.table's side of benchmarks/rows.py:  Rscript rows.R diary.csv windows.csv told.csv threads
# Every column is read as text; four patterns look for identifiers; numbers are cast, repeated rows
# told apart, days added up by person and window. R's own start is not counted.
suppressMessages(library(data.table))
arguments <- commandArgs(trailingOnly = TRUE)
setDTthreads(as.integer(arguments[4]))
start <- proc.time()[["elapsed"]]
days <- fread(arguments[1], colClasses = "character", na.strings = "", showProgress = FALSE)
looks <- "@|[0-9]{4}-[0-9]{2}-[0-9]{2}|https?://|www\\.|[0-9]{3}-[0-9]{2}-[0-9]{4}"
for (name in names(days)) {
  if (any(grepl(looks, unique(days[[name]])))) stop("a column looks as if it held identifiers")
}
limits <- list(day = c(-Inf, Inf), headache = c(0, 1), worst = c(0, 10), hours = c(0, 24),
               tablets = c(-Inf, Inf))
unreadable <- 0
for (name in names(limits)) {
  text <- days[[name]]
  value <- suppressWarnings(as.numeric(text))
  bad <- !is.na(text) & (is.na(value) | value < limits[[name]][1] | value > limits[[name]][2])
  unreadable <- unreadable + sum(bad)
  value[bad] <- NA_real_
  set(days, j = name, value = value)
  rm(text, value, bad)
}
# A key that stands twice: identical rows are kept once, contradictory ones not at all.
several <- duplicated(days, by = c("code", "day")) |
  duplicated(days, by = c("code", "day"), fromLast = TRUE)
gone <- integer()
if (any(several)) {
  part <- days[several]
  part[, row := which(several)]
  part[, size := .N, by = .(code, day)]
  part[, `:=`(alike = .N, copy = seq_len(.N)), by = .(code, day, headache, worst, hours, tablets)]
  gone <- part[alike < size | copy > 1, row]
}
if (length(gone)) days <- days[-gone]
days[, hit := headache]
days[headache == 1 & hours < 0.5 & tablets == 0, hit := 0]
days[is.na(hit) | hit != 1, `:=`(worst = NA_real_, hours = NA_real_)]
days[, area := worst * hours]
days[, w := fifelse(day < 0, 1L, fifelse(day < 28, 2L, 3L))]
days[, one := !is.na(hit)]
# One mean per call: sums and counts are the forms that data.table computes without R.
sums <- days[, .(observed = sum(one), hits = sum(hit, na.rm = TRUE),
                 intensity = mean(worst, na.rm = TRUE), duration = mean(hours, na.rm = TRUE),
                 area = mean(area, na.rm = TRUE)), by = .(code, w)]
sums <- sums[observed > 0]
sums[, frequency := 28 * hits / observed]
sums[, headache_index := fifelse(hits == 0, 0, frequency * area)]
sums[, window := c("baseline", "first_28", "second_28")[w]]
setnames(sums, "code", "patient_id")
kept <- c("patient_id", "window", "observed", "frequency", "intensity", "duration", "headache_index")
for (name in kept[4:7]) set(sums, which(is.nan(sums[[name]])), name, NA_real_)
fwrite(sums[, ..kept], arguments[2])
seconds <- proc.time()[["elapsed"]] - start
fwrite(data.table(seconds = seconds, unreadable = unreadable, rows = length(gone)), arguments[3])
