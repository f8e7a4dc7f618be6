"""Jobs: which trainings are needed, where their artifacts are kept, and who runs them.

A job is a recipe, the base it starts from and a seed; its digest names its artifact. Not here: how
a recipe trains (training) and what is read from an artifact (analysis).
"""
