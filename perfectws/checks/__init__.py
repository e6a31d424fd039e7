"""What an application gives, checked where it is given: what can be called, how it is spelt, how much it may be."""
