"""The samples behind a report's rows: `evidence.npz` beside `report.json`.

A compressed NumPy archive: "records" holds JSON of what was judged, in which every sample is named
after the member of the archive with its values. Arrays are read without pickles.
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazarus_bench import reading
from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.report.files import write_bytes
from lazarus_bench.report.schema import Record

FILE = "evidence.npz"
_RECORDS = "records"
_ARRAY = "array"

Arrays = dict[str, NDArray[Any]]


def save_evidence(records: Iterable[Record], path: Path) -> None:
    """Write the samples of `records` to `path`, whole or not at all; UserError if it cannot."""
    arrays: Arrays = {}
    plain = [_apart(to_plain(record), f"{i}", arrays) for i, record in enumerate(records)]
    arrays[_RECORDS] = np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(buffer.getvalue(), path, "evidence")


def load_evidence(path: Path) -> tuple[Record, ...]:
    """Read what `save_evidence` wrote; UserError if the file is missing or damaged."""
    try:
        # From memory: numpy leaves a damaged file open.
        with np.load(io.BytesIO(reading.read_bytes(path)), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        plain = _together(reading.parse_json(arrays[_RECORDS].tobytes().decode()), arrays)
        return from_plain(plain, tuple[Record, ...], path.name)
    except FileNotFoundError as error:
        raise UserError(f"cannot read the evidence {path}; name an existing {FILE}") from error
    except Exception as error:  # zipfile, zlib, tokenize, numpy and json have a dozen kinds
        raise UserError(
            f"{path} is damaged ({error}); run the hypotheses again to regenerate it"
        ) from error


def _apart(value: Any, place: str, arrays: Arrays) -> Any:
    """`value` with every list of numbers moved into `arrays` and named in its stead."""
    if isinstance(value, dict):
        return {name: _apart(part, f"{place}.{name}", arrays) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    try:
        found = np.asarray(value)
    except ValueError:
        found = np.asarray(None)
    if found.size and found.dtype.kind in "fi":
        arrays[place] = found
        return {_ARRAY: place}
    return [_apart(part, f"{place}.{i}", arrays) for i, part in enumerate(value)]


def _together(value: Any, arrays: Arrays) -> Any:
    """The reverse of `_apart`."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]].tolist()
        return {name: _together(part, arrays) for name, part in value.items()}
    return [_together(part, arrays) for part in value] if isinstance(value, list) else value
