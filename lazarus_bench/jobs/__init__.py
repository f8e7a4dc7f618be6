"""Jobs: which trainings are needed, where their artifacts are stored, and what executes them.

A job is a recipe, the base it starts from and a seed; its digest identifies its artifact. How a
recipe trains belongs to `training`, and what is measured on an artifact to `analysis`.
"""
