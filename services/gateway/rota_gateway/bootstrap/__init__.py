"""What a new system starts with; run at every start, changes nothing that is there already."""
