"""What the writeups' own numbers can tell, judged from their tables alone.

`samples` holds numbers whose samples are too small for what is said of them, `chance` numbers that
say little until what chance gives is beside them. A finding's `others` are what the audit computed;
the rest of the record, where a table disagrees with its own text, stands there as well.
"""

from .chance import (
    EXPERTS,
    GPT_OSS_VOCABULARY,
    GPT_OSS_WIDTH,
    GRANITE_31,
    GRPO_TABLE,
    KL_SIGN,
    PROBE_RANK,
    router_is_random,
)
from .samples import (
    BASE_BEATS_INSTRUCT,
    EIGHT_OF_EIGHT,
    ENGRAM_DELTA,
    NO_DIFFERENCE_D0,
    STEPS_TREND,
)

__all__ = [
    "BASE_BEATS_INSTRUCT",
    "EIGHT_OF_EIGHT",
    "ENGRAM_DELTA",
    "EXPERTS",
    "GPT_OSS_VOCABULARY",
    "GPT_OSS_WIDTH",
    "GRANITE_31",
    "GRPO_TABLE",
    "KL_SIGN",
    "NO_DIFFERENCE_D0",
    "PROBE_RANK",
    "STEPS_TREND",
    "router_is_random",
]
