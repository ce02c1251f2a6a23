"""The demo: a simulated TMC, a daemon that watches it, someone who is told, and a live view."""
