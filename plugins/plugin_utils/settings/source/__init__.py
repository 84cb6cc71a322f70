"""Where an app's code comes from: a folder, a git repository or an archive. Each becomes a folder on the controller."""
