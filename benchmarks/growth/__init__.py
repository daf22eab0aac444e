"""How the time of every verb grows with what it is given."""
