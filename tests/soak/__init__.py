"""Is anything lost, disordered or repeated too often while everything dies at random?

`python -m tests.soak --minutes 10 --database postgres`, or `make soak`.
"""
