"""Who should know (service): what transitions do to alerts, groups and the outbox."""
