"""A session: the jobs that claims need, their runs and measurements, controls, a claim judged."""
