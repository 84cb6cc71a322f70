"""What the app is told from outside."""
