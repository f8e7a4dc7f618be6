"""The study: claims about five writeups on classifier emergence, and what each was printed as."""
