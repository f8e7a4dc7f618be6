"""`python -m lazarus_bench` is the command line."""

from lazarus_bench.cli import main

raise SystemExit(main())
