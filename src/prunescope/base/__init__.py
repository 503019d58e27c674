"""Values and ids, trees of tensors, named randomness, durations, states. Imports torch and pydantic only."""
