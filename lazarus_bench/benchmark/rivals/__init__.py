"""Side by side with what a user would run instead: same weights, data, batch, BLAS and threads.

One module a comparison; arms take turns in one process. Rivals run as they are shipped (`shipped`):
mlx-lm has its own gates back, and its `train` compiles its step, as `mlx_lm.lora` does.
"""
