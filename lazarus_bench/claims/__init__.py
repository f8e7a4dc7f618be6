"""Claims: the `@claim` decorator and its registry, claim files, profiles, pins."""
