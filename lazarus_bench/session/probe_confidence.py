"""How sure a probe is of what it predicts, beside whether it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lazarus_bench.analysis.probe_prompts import ProbePrompts
    from lazarus_bench.analysis.splits import HeldOut
    from lazarus_bench.session.runs import Run


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Probability of the predicted class, and whether it is the right one; `[prompt]` each."""

    probability: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def probe_confidence(
    run: Run, train: ProbePrompts, test: ProbePrompts, held_out: HeldOut
) -> Confidence:
    """Read `test` with the probe of the layer that is best on `train`, fitted on all of `train`.

    The best layer is that of the highest cross-validated accuracy, the first of several. With
    `held_out` "in-order" the states are not standardised.

    Raises:
        UserError: too few prompts for the split, or a state is not finite.
    """
    from lazarus_bench.analysis.probe import classifier_for, one_blas_thread
    from lazarus_bench.analysis.states import wide

    layer = run.probe(train, held_out).best_layer
    fitted, asked = (wide(run.states(p.texts)[:, layer]) for p in (train, test))
    with one_blas_thread():
        classifier = classifier_for(held_out).fit(fitted, train.labels)
        given = classifier.predict_proba(asked)
    predicted = classifier.classes_[given.argmax(axis=1)]
    return Confidence(probability=given.max(axis=1), right=predicted == np.array(test.labels))
