"""How others see us: logs, metrics, health; what is known is handed in as a snapshot."""
