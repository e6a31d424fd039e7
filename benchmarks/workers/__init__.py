"""Several processes that serve as one: how even they are, what they carry, cost and leave behind."""
