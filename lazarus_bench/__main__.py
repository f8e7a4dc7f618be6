"""`python -m lazarus_bench` is the command line, and so is `lazarus-bench`."""

from __future__ import annotations

from typing import Any


def main() -> int:
    """Run the command that was typed, and give its exit code.

    Importing the commands takes a moment in which Ctrl-C can be pressed too.
    """
    try:
        _tell_warnings()
        from lazarus_bench import cli

        return cli.main()
    except KeyboardInterrupt:
        from lazarus_bench.errors import say_interrupted

        say_interrupted()
        return 130


def _tell_warnings() -> None:
    """Have our own warnings said as sentences, without the place in our code that warns."""
    import warnings

    from lazarus_bench.errors import say

    show = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if category.__module__.startswith(f"{__package__}."):
            say(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    warnings.showwarning = tell


if __name__ == "__main__":
    raise SystemExit(main())
