"""One tool a file: how it is called, and what its output means. Both are functions of values; nothing is run here."""
