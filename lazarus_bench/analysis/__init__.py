"""Analysis: one instrument per file, from a loaded model and prompts to samples.

An instrument returns arrays with named axes and no verdict: interpreting a number is the judge's
task, and providing the model is the jobs'.
"""
