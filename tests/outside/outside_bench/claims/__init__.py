"""The claims, as a package of claim files."""
