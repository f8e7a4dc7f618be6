"""Trials: a claim put to a subject, which is what a pytest session is made of.

Here: the `@claim` decorator and its registry, profiles, the session with its jobs and runs, the
controls and tables that claim files share, the pins. Not here: statistics (judge), hooks (plugin).
"""
