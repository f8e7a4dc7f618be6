"""Results that somebody already has: read as columns, made evidence of, and judged by the rule.

No model, no mlx and no pytest: files of this room read, `samples` pivots, `judged` decides.
"""
