"""Words that the writeups name, for those who need no evidence: no scipy comes in with them."""

OPERATIONS = ("multiply", "add", "subtract", "divide")

ROUTER_WORDS = ("correct", "incorrect", *OPERATIONS)
"""Writeup C, "GPT-OSS 20B Router Vocabulary Mapping", Analysis, 3, and Conclusion: "CORRECT,
INCORRECT, multiply, etc."; operation type tokens."""
