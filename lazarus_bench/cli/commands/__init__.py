"""The commands, each a module that is found by its file name."""
