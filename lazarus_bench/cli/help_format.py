"""How a command's help is laid out."""

from __future__ import annotations

import argparse

EXAMPLES = "examples:"


class Help(argparse.RawDescriptionHelpFormatter):
    """Folds a description to the terminal's width; examples stay as they are typed."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLES):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)
