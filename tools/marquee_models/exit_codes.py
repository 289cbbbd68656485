"""Exit codes of the trainings, for the commands that start them. 1 is an error, 2 wrong usage."""

# There is too little to learn from; serving does without the model then.
TOO_FEW_EXAMPLES = 3
