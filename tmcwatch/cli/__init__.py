"""The commands: one file each; nothing else knows click."""
