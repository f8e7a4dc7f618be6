"""Keys under which the plugin and its fixtures share one session's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    pass

SESSION = pytest.StashKey["Session"]()
TRIAL = pytest.StashKey["Trial"]()
UNATTAINABLE = pytest.StashKey[str]()
