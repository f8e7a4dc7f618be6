"""The tasks that models are trained and judged on: generated text, prompts and their splits.

Arithmetic (in symbols and in words), two-class sentiment, four-class topics, and the corpus that
mixes them. Nothing here knows a model, a tokenizer or mlx.
"""
