"""An instrument in one file: the length of the residual stream at the last position, by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.measured import Axes
from lazarus_bench.figures.layers import LayerCurves, LayerSeries
from lazarus_bench.figures.tables import table


@dataclass(frozen=True, kw_only=True)
class Norms:
    """Euclidean lengths `[prompt, layer]`."""

    length: Annotated[npt.NDArray[np.float64], Axes(("prompts", "layers"))]

    def to_json(self) -> dict[str, Any]:
        """The mean length of each layer."""
        return {"mean": self.length.mean(axis=0)}

    def text(self, room: int) -> str:
        """A row a layer."""
        means = enumerate(self.length.mean(axis=0))
        return table(["layer", "length"], [[str(at), f"{mean:.3g}"] for at, mean in means], room)

    def figure(self, subject: str) -> LayerCurves:
        """The mean length over layers."""
        means = [self.length.mean(axis=0)]
        return LayerCurves(
            title="Length of the residual stream",
            subject=subject,
            unit="length",
            layers=tuple(range(self.length.shape[1])),
            series=(LayerSeries.of("mean over prompts", means),),
        )


def norms(loaded: Any, problems: Sequence[Any]) -> Norms:
    """Read the lengths after the prompts in symbols."""
    from lazarus_bench.analysis.prompts import read_states

    states = read_states(loaded, [problem.symbols for problem in problems])
    return Norms(length=np.linalg.norm(states.astype(np.float64), axis=-1))
