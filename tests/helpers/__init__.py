"""What several test modules need: toy data, commands, servers, clients, models."""
