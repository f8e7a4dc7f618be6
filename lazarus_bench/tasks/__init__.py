"""Data on which models are trained and evaluated: generated text, prompts and their splits.

Arithmetic (in symbols and in words), two-class sentiment, four-class topics, and the corpus that
combines them. Nothing here depends on models, tokenizers or mlx.
"""
