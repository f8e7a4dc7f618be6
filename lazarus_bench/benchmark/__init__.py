"""Benchmarks: how fast and how lean recipes and instruments are, and how their cost grows.

`stopwatch` times arms in turn, so that what disturbs one disturbs all; `intervals` makes ratios of
medians and exponents of them. What is measured: `recipes` and `instruments` by themselves, `rivals`
side by side with what a user would run instead, `scaling` along one size after the other,
`roofline` what the machine can do at most and `profile` how a training step spends its time.
`document` holds what was found, `gate` the ratios that must not fall, `continuous` the file that
follows them over time, and `markdown` writes the report. Numbers are of the machine
that made them, which the document names; ratios are of one run. Not here: the commands (cli), the
suites (`benchmarks/`), and claims, since no claim is judged on a time but through `FinetuneCost`.
"""
