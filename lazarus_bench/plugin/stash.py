"""Keys under which the plugin and its fixtures share one session's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lazarus_bench.session.session import Session
    from lazarus_bench.session.trial import Trial

SESSION: pytest.StashKey[Session] = pytest.StashKey()
TRIAL: pytest.StashKey[Trial] = pytest.StashKey()
UNATTAINABLE: pytest.StashKey[str] = pytest.StashKey()
LEFT_OUT: pytest.StashKey[str] = pytest.StashKey()
COMMAND: pytest.StashKey[str] = pytest.StashKey()
"""The command line that made this session, where it was not pytest's own."""
