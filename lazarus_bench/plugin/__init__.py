"""The pytest plugin, thin: it hands options, claims and tests to a session, and shows the results.

`hooks` is what pytest loads. It imports neither mlx nor the statistics before a test has a claim.
"""
