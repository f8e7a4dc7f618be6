"""A data set in one file: sentences about fruit, in the classes red and yellow."""

import numpy as np

from lazarus_bench.tasks.labelled import Labelled

FRUIT = (
    ("cherry", "strawberry", "raspberry", "tomato"),
    ("lemon", "banana", "quince", "pineapple"),
)
PLACES = ("on the table", "in the bowl", "by the window", "at the market", "under the tree")


def sentence(rng: np.random.Generator) -> Labelled:
    """Draw one sentence; both classes are equally likely."""
    label = int(rng.integers(2))
    fruit, other = (FRUIT[label][int(rng.integers(4))] for _ in range(2))
    place, days = PLACES[int(rng.integers(5))], int(rng.integers(2, 60))
    text = f"The {fruit} {place} and the {other} were there for {days} days."
    return Labelled(text=text, label=label)


COLOURS = {"colours": (sentence, ("red", "yellow"))}
