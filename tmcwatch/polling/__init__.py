"""When we ask (service): pollers that look on a beat and complete what they saw."""
