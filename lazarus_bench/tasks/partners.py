"""Partners: for each problem another one, whose prompt lends it a state."""

from collections.abc import Sequence

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Problem


def partners(problems: Sequence[Problem], same_operation: bool) -> tuple[Problem, ...]:
    """For each problem the next one, cyclically, of the same operation or of another.

    Raises:
        UserError: a problem has none.
    """
    found = []
    for at, problem in enumerate(problems):
        turned = (*problems[at + 1 :], *problems[:at])
        fitting = (
            other
            for other in turned
            if other.key != problem.key and (other.operation is problem.operation) == same_operation
        )
        partner = next(fitting, None)
        if partner is None:
            which = "of the same operation" if same_operation else "of another operation"
            raise UserError(f"{problem.symbols.strip()} has no partner {which}: give more prompts")
        found.append(partner)
    return tuple(found)
