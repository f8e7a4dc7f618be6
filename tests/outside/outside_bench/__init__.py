"""Somebody else's study: nothing here knows the repository of lazarus-bench."""
