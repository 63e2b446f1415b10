"""The teacher's labels: computed once, stored, and read by every student."""
