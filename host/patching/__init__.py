"""How motion enters a MODEL, and what happens in a call of its UNet."""
