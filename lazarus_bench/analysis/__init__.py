"""Analysis: one instrument per file; a loaded model and prompts in, samples out.

An instrument returns arrays with named axes and no verdict: what a number means is the judge's
business, and where the model came from is the jobs'.
"""
