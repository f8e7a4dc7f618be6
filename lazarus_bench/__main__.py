"""`python -m lazarus_bench` is the command line, and so is `lazarus-bench`."""

from __future__ import annotations


def main() -> int:
    """Run the command that was typed, and give its exit code.

    Importing the commands takes a moment in which Ctrl-C can be pressed too.
    """
    try:
        from lazarus_bench import cli

        return cli.main()
    except KeyboardInterrupt:
        from lazarus_bench.errors import say_interrupted

        say_interrupted()
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
