"""How others ask us: the HTTP server; what it does to the daemon comes to it as callables."""
