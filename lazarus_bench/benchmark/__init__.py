"""Benchmarks: speed and memory of recipes and instruments, and how their cost grows.

`meters` times arms in turn, so that what disturbs one disturbs all. Measured are `recipes` and
`instruments` by themselves, `rivals` and `mlx_lm_rivals` beside what a user would run instead,
`scaling` along one size after the other, `verdict_time` from starting pytest to a verdict,
`roofline` the machine's limits and `profile` how a training step spends its time (`operations`).
`document` holds the results, `gate` the ratios that must not fall, and `markdown` writes the
report. Absolute numbers belong to the machine that the document names; ratios to one run. No claim
is judged on a time but through `FinetuneCost`. The suites are in `benchmarks/`.
"""
