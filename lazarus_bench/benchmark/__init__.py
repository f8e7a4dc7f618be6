"""Benchmarks: speed and memory of recipes and instruments, and how their cost scales.

`meters` runs all arms in turn, so that a disturbance affects all of them. `recipes` and
`instruments` measure each one alone, `rivals` and `mlx_lm_rivals` compare with other libraries,
`scaling` varies one size at a time, `verdict_time` measures from starting pytest to a verdict,
`roofline` the machine's limits, and `profile` where a training step spends its time (`operations`).
`document` holds the results, `gate` the bounds on ratios, and `markdown` writes the report.
Absolute numbers are valid for the machine recorded in the document, ratios for one run. The only
claims about time are those on `FinetuneCost`. The suites are in `benchmarks/`.
"""
