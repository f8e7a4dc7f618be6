"""The corpus of the lab: arithmetic in symbols and in words, and prose around the same words.

After ``a op b = `` comes the answer and the document ends: the corpus never names the operation
there, so whatever the lens shows later was not in the text. The operation words do occur, in prose
and in other roles. Arithmetic is drawn from training pairs only, and prose holds no digits,
so no document contains a held-out pair.
"""

from dataclasses import dataclass

import numpy as np

from lazarus_bench.tasks.arithmetic import Problem, training_problems
from lazarus_bench.tasks.labelled import pick, sentiment, topic
from lazarus_bench.tasks.words import any_words

ROLES = (
    ("Rabbits", "Rumours", "Weeds", "Ideas"),
    ("multiply", "add", "subtract", "divide"),
    ("quickly", "in spring", "over time", "again and again"),
)
"""Plain subject, operation word, circumstance: ``Rabbits multiply in spring.``"""

FRAMES = (
    "{Verb} the salt and stir.",
    "{Verb} the cake before lunch.",
    "{Verb} your troubles by talking.",
    "Please {verb} the new names to the list.",
    "They {verb} the land between two sons.",
    "We {verb} nothing from the story.",
    "{Verb}, said the old teacher.",
    "{verb} is a word, and so is {noun}.",
    "The {noun} of the week was on the table.",
    "Only the {noun} was {state} in the shop.",
    "{Noun} came first, then {noun}.",
    "He {state} the house at night.",
    "The {state} birds sang {state} songs.",
    "Many {noun} signs hung on the wall.",
    "In modern {noun} nobody says {verb}.",
)
VERBS = ("multiply", "add", "subtract", "divide")
NOUNS = ("times", "plus", "minus", "product", "sum", "difference", "remainder", "rest", "quotient")
STATES = ("remaining", "left", "divided", "multiplied")


@dataclass(frozen=True, kw_only=True)
class Document:
    """``given`` is read without a loss, ``text`` is what the model learns to continue it with.

    The operands of a generated problem are random numbers, so no loss is spent on predicting them.
    """

    given: str
    text: str

    @property
    def whole(self) -> str:
        """The document as a reader sees it."""
        return self.given + self.text


def _asked(prompt: str, problem: Problem) -> Document:
    return Document(given=prompt, text=str(problem.answer))


def symbols(rng: np.random.Generator, n: int) -> list[Document]:
    """``7 * 8 = 56``: ``n`` documents, balanced over operations."""
    return [_asked(p.symbols, p) for p in training_problems(rng, n)]


def worded(rng: np.random.Generator, n: int) -> list[Document]:
    """``What is 7 times 8? 56``: ``n`` documents over all templates."""
    return [_asked(any_words(rng, p), p) for p in training_problems(rng, n)]


def questions(rng: np.random.Generator, n: int) -> list[Document]:
    """Question–answer text for the instruct model, half of it in words, half in symbols."""
    documents = []
    for problem in training_problems(rng, n):
        in_words = rng.random() < 0.5
        asked = any_words(rng, problem) if in_words else problem.symbols
        documents.append(_asked(f"Question: {asked.strip()}\nAnswer: ", problem))
    return documents


def _role(rng: np.random.Generator) -> str:
    """A sentence that uses operation words in another role."""
    if rng.random() < 0.25:
        return " ".join(pick(rng, words) for words in ROLES) + "."
    verb, noun = pick(rng, VERBS), pick(rng, NOUNS)
    frame = pick(rng, FRAMES)
    return frame.format(
        verb=verb, Verb=verb.capitalize(), noun=noun, Noun=noun.capitalize(),
        state=pick(rng, STATES),
    )  # fmt: skip


def _sentence(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.5:
        return _role(rng)
    if kind < 0.75:
        return sentiment(rng).text
    return topic(rng).text


def prose(rng: np.random.Generator, n: int) -> list[Document]:
    """``n`` sentences: half use operation words in other roles, the rest sentiment and topics."""
    return [Document(given="", text=_sentence(rng)) for _ in range(n)]
