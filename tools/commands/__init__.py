"""What the entry points of this folder do; standard library only."""
