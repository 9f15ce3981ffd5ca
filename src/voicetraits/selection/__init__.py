"""What the tables of a corpus say, and which of its clips are used."""
