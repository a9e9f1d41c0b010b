"""Numbers about videos: features -> statistics -> value.

Pure functions on tensors; files, models and progress are the nodes' business.
"""
