"""What can be decided on paper: values and pure functions, no I/O, no clock, no randomness."""
