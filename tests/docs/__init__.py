"""The pages of docs/, and the README: every block of code runs, every link leads somewhere, every name is described."""
