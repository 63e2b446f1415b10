"""What the teacher said: asked once, stored, and read by every student."""
