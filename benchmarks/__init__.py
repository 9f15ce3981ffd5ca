"""What the pipeline costs, each against a baseline measured in the same run."""
