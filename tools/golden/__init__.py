"""Writes the fixtures that the Rust tests read: answers of the peers, and miniature artifacts."""
