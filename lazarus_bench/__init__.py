"""lazarus-bench: claims about neural networks as pre-registered hypotheses.

A claim is a region, evidence is samples, a verdict is where the interval falls. This package face
hands on the names that a claim file needs; it imports neither mlx nor pytest.
"""
