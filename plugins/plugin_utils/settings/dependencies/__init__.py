"""What a release installs: one text of requirements, each with its version and hashes, settled on the controller."""
