"""Networks of treatments of a review: which rows enter, what they say, what it hangs on."""
