"""What changed (service): what observations do to what we believe."""
