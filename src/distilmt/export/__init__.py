"""What students and teachers become to be deployed."""
