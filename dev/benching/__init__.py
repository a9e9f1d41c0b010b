"""How fast and how large the pack is at real models' widths: counted on no device at all, and timed on one."""
