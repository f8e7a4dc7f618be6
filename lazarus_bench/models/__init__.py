"""Models: loading, the anatomy of each family, taps on layers, words as tokens, adapters.

Also the lab's small models and their tokenizer. Anything that changes weights belongs to
`training`, anything that interprets activations to `analysis`. No family's forward pass is
reimplemented; it is tapped.
"""
