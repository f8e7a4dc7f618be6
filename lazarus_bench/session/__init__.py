"""A session: the jobs its claims need, their runs and measurements, controls, judging a claim."""
