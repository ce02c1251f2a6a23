"""What we remember: the tables, and one file of named reads and writes per subject."""
