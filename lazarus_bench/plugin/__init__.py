"""The pytest plugin, thin: options, collection, training, judging, and the session's report.

`hooks` is what pytest loads. mlx is imported only where a selected claim needs a model; what a
claim or a run is stands in `session`, and every number comes from the rooms below.
"""
