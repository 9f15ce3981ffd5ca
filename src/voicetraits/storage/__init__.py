"""Files that are whole or absent, shards of many clips, and what an interrupted run has done."""
