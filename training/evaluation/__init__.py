"""What the checkpoints reach, measured through stock pipelines by the judge."""
