"""How a store written by an older version is brought to this version's schema."""
