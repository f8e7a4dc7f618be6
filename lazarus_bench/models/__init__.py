"""Models: loading, where a family keeps its parts, taps on its layers, words as tokens, adapters.

Here too: the lab's small models and their tokenizer. Not here: anything that changes weights
(training) or interprets activations (analysis). A family's forward pass is never written again; it
is tapped.
"""
