"""Monitoring daemon for Talend Management Console."""

__version__ = "0.1.0"
