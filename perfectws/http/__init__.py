"""HTTP/1.1 without I/O: requests, responses, routes, and the protocol object that turns bytes into them and back."""
