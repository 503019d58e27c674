"""Identity, disk and execution: from a recipe to a stored result."""
