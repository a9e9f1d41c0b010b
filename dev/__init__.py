"""The developer's side of Few-Shot Motion: environment, server, demo, tests. Never part of the published pack.

Everything up to the environment itself runs on the standard library of any Python from 3.10; `demo` and what it imports
run in `.venv`.
"""
