"""Export formats for the deployment of students and teachers."""
