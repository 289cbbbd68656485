"""Fetches what is missing into the cache folder: pinned, resumable, checked, put in place whole.

Standard library only: this runs before anything is installed.
"""
