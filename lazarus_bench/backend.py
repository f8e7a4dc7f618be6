"""The machine under mlx: fast BLAS, device, seeding, peak memory, versions.

Everything that must happen before or around `mlx.core`, and nothing that depends on a model. Every
other module takes `mx`, `nn` and `optim` from here and never imports mlx itself: the Linux wheel of
mlx links the reference BLAS (about 5 GFLOP/s), and only a fast BLAS loaded *before* it with
`RTLD_GLOBAL` interposes `cblas_sgemm`.

The three are imported on first use, so naming a recipe or showing its help costs nothing. `BLAS`
and `EXP` are determined at that point, too.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import importlib
import os
import platform
import random
import shutil
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.private import keep_kernels_private
from lazarus_bench.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLAS_VARIABLE = "LAZARUS_BENCH_BLAS"
DEVICE_VARIABLE = "LAZARUS_BENCH_DEVICE"
EXP_VARIABLE = "LAZARUS_BENCH_EXP"
THREADS_VARIABLE = "LAZARUS_BENCH_THREADS"
RANK_VARIABLE = "MLX_RANK"
REFERENCE = "reference"
SLOW_REMEDY = (
    "install it with `pip install 'lazarus-bench[cpu]'` (MKL, x86-64) or `apt install libopenblas0`"
)


class SlowBlasWarning(UserWarning):
    """mlx multiplies matrices with its reference BLAS: correct, and about 30 times too slow."""


def _mkl_candidates() -> Iterator[str]:
    """Paths of MKL's single dynamic library as pip installs it."""
    try:
        files = metadata.files("mkl") or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name.startswith("libmkl_rt.so"):
            yield str(file.locate())


def _load_globally(path: str) -> bool:
    try:
        library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return hasattr(library, "cblas_sgemm")


def _load_named_blas(name: str) -> str:
    if name == REFERENCE:
        return REFERENCE
    path = ctypes.util.find_library(name) or name
    if not _load_globally(path):
        raise UserError(
            f"{BLAS_VARIABLE}={name} is not a loadable library with cblas_sgemm: give a path such "
            f"as /usr/lib/x86_64-linux-gnu/libopenblas.so.0, or unset it for the automatic choice"
        )
    return path


def load_fast_blas() -> str:
    """Load the first fast BLAS found and say which: a path, "Accelerate" or "reference".

    Order: what `LAZARUS_BENCH_BLAS` names, MKL from pip, the system's OpenBLAS.

    Raises:
        UserError: `LAZARUS_BENCH_BLAS` names something that is no BLAS.
    """
    if platform.system() != "Linux":
        return "Accelerate"
    named = os.environ.get(BLAS_VARIABLE)
    if named:
        return _load_named_blas(named)
    for path in (*_mkl_candidates(), ctypes.util.find_library("openblas")):
        if path and _load_globally(path):
            return path
    return REFERENCE


class _Lazy(ModuleType):
    """A module of mlx's, imported when something of it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what inspection asks of every module is no use of it
            raise AttributeError(name)
        start()  # which gives this module its names, so that it comes here for unknown ones only
        return getattr(importlib.import_module(self.__name__), name)


if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    BLAS: str
    EXP: str
else:
    mx, nn, optim = map(_Lazy, ("mlx.core", "mlx.nn", "mlx.optimizers"))


def __getattr__(name: str) -> Any:
    """`BLAS` and `EXP`, which are decided when mlx is started."""
    if name in ("BLAS", "EXP"):
        start()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_LATE = "mlx.core" in sys.modules


@cache
def _blas() -> str:
    """The BLAS that mlx multiplies with, loaded before mlx unless mlx was there before us."""
    blas = load_fast_blas()
    if _LATE and blas not in ("Accelerate", REFERENCE):
        return f"{REFERENCE} (mlx.core was imported before lazarus_bench.backend)"
    return blas


class _BlasFirst(MetaPathFinder):
    """Has the BLAS loaded before whoever is the first to import mlx, such as mlx-lm."""

    def find_spec(self, fullname: str, *_: Any) -> None:
        """Find nothing: the next finder does."""
        if fullname == "mlx.core":
            keep_kernels_private()
            _blas()


sys.meta_path.insert(0, _BlasFirst())


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait: an extension that it finds initialising itself aborts the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda key, _: pressed.append(key))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        for key in pressed[:1]:
            signal.raise_signal(key)


@cache
def start() -> None:
    """Load the BLAS and mlx, and choose the device: mlx-lm finds it chosen if imported after.

    Raises:
        UserError: an environment variable names what is not there, or mlx cannot be loaded.
    """
    global BLAS, EXP
    keep_kernels_private()
    blas = _blas()
    try:
        with _interrupts_held():
            for lazy in (mx, nn, optim):
                vars(lazy).update(vars(importlib.import_module(lazy.__name__)))
    except ImportError as error:
        raise UserError(
            f"mlx cannot be loaded ({error}): on Linux install a backend with it, "
            f"`pip install 'lazarus-bench[cpu]'` or `[cuda]`"
        ) from error
    mx.set_default_device(_choose_device(os.environ.get(DEVICE_VARIABLE, "auto")))
    if platform.system() == "Linux" and not on_accelerator():
        _keep_freed_memory()
    BLAS, EXP = blas, _choose_exp(os.environ.get(EXP_VARIABLE))


__all__ = [
    "BLAS",
    "EXP",
    "Group",
    "Manifest",
    "compiles",
    "device_name",
    "group",
    "manifest",
    "measure_gflops",
    "mx",
    "nn",
    "on_accelerator",
    "optim",
    "peak_memory",
    "reset_peak_memory",
    "seed",
    "set_threads",
    "start",
    "warn_if_slow",
]


def _choose_device(name: str) -> mx.Device:
    """Map a device name to mlx's device; `auto` takes an accelerator where there is one."""
    accelerators = {"metal": mx.metal.is_available(), "cuda": mx.cuda.is_available()}
    if name == "cpu" or (name == "auto" and not any(accelerators.values())):
        return mx.Device(mx.cpu)
    if name == "auto" or accelerators.get(name):
        return mx.Device(mx.gpu)
    known = ", ".join(["auto", "cpu", *(k for k, here in accelerators.items() if here)])
    raise UserError(f"{DEVICE_VARIABLE}={name} is not available here: choose one of {known}")


def on_accelerator() -> bool:
    """Whether mlx computes on Metal or CUDA by default."""
    return bool(mx.default_device() == mx.Device(mx.gpu))


# mallopt(3)'s names for the two thresholds; it takes an int, so less than 2 GiB.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1


def _keep_freed_memory() -> None:
    """Let glibc use again what mlx frees; `MALLOC_MMAP_THRESHOLD_` in the environment forbids it.

    mlx's CPU backend allocates every result anew. By default glibc takes large ones from the kernel
    and gives them back at once, so that the pages of 24 MB of logits are zeroed at every step.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _choose_exp(name: str | None) -> str:
    """Whose exp() to use, "fused" or "mlx": see `exp`."""
    scalar = platform.system() == "Linux" and not on_accelerator()
    chosen = name or ("fused" if scalar and compiles() else "mlx")
    if chosen not in ("fused", "mlx"):
        raise UserError(f"{EXP_VARIABLE}={name} is neither fused nor mlx: choose one, or unset it")
    return chosen


def compiles() -> bool:
    """Whether `mx.compile` compiles here: on a CPU mlx calls g++, and without one runs uncompiled.

    `MLX_DISABLE_COMPILE` in the environment switches it off, as mlx has it.
    """
    disabled = "MLX_DISABLE_COMPILE" in os.environ
    return not disabled and (on_accelerator() or shutil.which("g++") is not None)


def device_name() -> str:
    """The device in words, as the manifest shows it."""
    if not on_accelerator():
        return f"cpu ({_cpu_model()})"
    kind = "metal" if mx.metal.is_available() else "cuda"
    return f"{kind} ({mx.device_info().get('device_name', 'unknown')})"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, str]:
    """What decides the last bits of a number, by name: processor, libraries and their versions."""
    found = manifest()
    libraries = ("mlx", "mlx-lm", "numpy", "scipy", "scikit-learn", "tokenizers", "system")
    return {
        **{name: found.versions[name] for name in libraries},
        "device": found.device,
        "instructions": _instructions(),
        "blas": f"{found.blas}, {set_threads()} thread(s)",
        "exp": found.exp,
    }


def _instructions() -> str:
    """A digest of the processor's instruction sets: the same name may have others elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:12]


def warn_if_slow() -> None:
    """Warn, with the remedy, when matmuls would run on the reference BLAS."""
    if _blas().startswith(REFERENCE) and not on_accelerator():
        warnings.warn(
            f"mlx runs on its reference BLAS ({_blas()}), about 30 times too slow: {SLOW_REMEDY}",
            SlowBlasWarning,
            stacklevel=2,
        )


def set_threads(count: int | None = None) -> int:
    """Limit mlx's BLAS to `count` threads and return the number in force.

    One thread a process is the default: a worker per core beats two BLAS threads, and the numbers
    then do not depend on how many workers ran. `LAZARUS_BENCH_THREADS` overrides it, for one large
    model on many cores.
    """
    chosen = os.environ.get(THREADS_VARIABLE, "1") if count is None else str(count)
    if not chosen.isdecimal() or int(chosen) < 1:
        raise UserError(f"{THREADS_VARIABLE}={chosen} is not a number of threads: give 1 or more")
    blas = _blas()
    if "/" in blas or blas.startswith("lib"):
        library = ctypes.CDLL(blas)
        # The process-wide setters: threadpoolctl sets MKL's calling thread only, and mlx
        # multiplies on a thread of its own.
        for setter in ("MKL_Set_Num_Threads", "openblas_set_num_threads"):
            if hasattr(library, setter):
                getattr(library, setter)(int(chosen))
    return int(chosen)


def seed(value: int) -> None:
    """Seed `mx.random`, `numpy.random` and `random` with the same number."""
    mx.random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 - mlx-lm draws from numpy's global state
    random.seed(value)


@dataclass(frozen=True, kw_only=True)
class Group:
    """This process among those that train together: its `rank`, from 0, of `size`."""

    rank: int
    size: int


def group() -> Group:
    """The processes of the `mlx.launch` that started this one; outside of one, this one alone.

    Raises:
        UserError: `MLX_RANK` is set, yet no group can be formed.
    """
    if RANK_VARIABLE not in os.environ:
        return Group(rank=0, size=1)
    try:
        found = mx.distributed.init(strict=True)
    except RuntimeError as error:
        raise UserError(
            f"{RANK_VARIABLE}={os.environ[RANK_VARIABLE]} is set but the ranks cannot meet "
            f"({error}): start them with mlx.launch, or unset it"
        ) from error
    return Group(rank=found.rank(), size=found.size())


def reset_peak_memory() -> None:
    """Start a new allocator peak."""
    mx.reset_peak_memory()


def peak_memory() -> int:
    """Peak bytes of mlx's allocator since the last reset."""
    return int(mx.get_peak_memory())


def measure_gflops(size: int = 512, repeats: int = 20) -> float:
    """GFLOP/s of `size`-square float32 matmuls on the default device (2·n³ operations each)."""
    left = mx.random.normal((size, size), key=mx.random.key(0))
    right = mx.random.normal((size, size), key=mx.random.key(1))
    mx.eval(left @ right)
    start = time.perf_counter()
    for _ in range(repeats):
        mx.eval(left @ right)
    return 2 * size**3 * repeats / (time.perf_counter() - start) / 1e9


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a number depends on besides its spec: versions, revision, device, BLAS and exp()."""

    versions: Mapping[str, str]
    device: str
    blas: str
    exp: str
    dtype: str

    def as_strings(self) -> dict[str, str]:
        """One flat mapping, for JSON."""
        machine = {"device": self.device, "blas": self.blas, "exp": self.exp, "dtype": self.dtype}
        return {**self.versions, **machine}


def manifest() -> Manifest:
    """The manifest of this process."""
    start()
    return Manifest(
        versions=versions(),
        device=device_name(),
        blas=Path(BLAS).name if "/" in BLAS else BLAS,
        exp=EXP,
        dtype="float32 lens and losses; weights as stored",
    )
