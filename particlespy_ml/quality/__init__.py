"""What an image can show: noise, fringes; on plain arrays."""
