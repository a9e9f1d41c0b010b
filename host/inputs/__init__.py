"""The one gate for what our nodes take: a function for each kind of input, a sentence for each fault."""
