"""The service that this project is measured against: the same two routes, built as such services
usually are in Python. FastAPI and uvicorn, a PyTorch network asked about every movie,
sentence-transformers for prompts, cosine over all overviews in numpy, pandas for the rest.

`prepare.py` makes what it loads at the start, `service.py` is the service. It does nothing slower
than it must: similarities and overview vectors are computed beforehand, nothing is written to a log
while it answers, and uvicorn runs with uvloop and httptools.
"""
