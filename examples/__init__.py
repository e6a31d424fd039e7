"""Small programs that show perfectws, one subject each. Run one from the root of the repository."""
