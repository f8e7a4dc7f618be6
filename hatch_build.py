"""What a wheel holds besides the package: the claims, to run anywhere, and the pages helps name."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClaimsInWheel(BuildHookInterface):  # type: ignore[type-arg]
    """Puts `hypotheses/` and `docs/*.md` into the package.

    Not of an editable install, which would get a copy that ages, and in whose list of files pytest
    would find modules to rewrite that are imported already.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add claims and pages to a wheel that is no editable one."""
        if version == "standard":
            build_data["force_include"]["hypotheses"] = "lazarus_bench/hypotheses"
            for page in Path(self.root, "docs").glob("*.md"):
                build_data["force_include"][str(page)] = f"lazarus_bench/docs/{page.name}"
