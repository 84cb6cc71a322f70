"""What a person writes, checked, and all that follows from it. Runs on the controller, and touches no host."""
