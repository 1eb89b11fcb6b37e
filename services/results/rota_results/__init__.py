"""The record: results stores what every run came to."""
