"""Videos in, numbers, reports and pictures out."""
