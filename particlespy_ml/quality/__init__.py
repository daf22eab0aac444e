"""What an image can show: noise, fringes, focus, what went wrong while it was recorded; on plain arrays."""
