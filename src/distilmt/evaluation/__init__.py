"""Quality, speed, memory and health of exported models."""
