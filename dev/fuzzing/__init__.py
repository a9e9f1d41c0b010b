"""What `python3 dev fuzz` is made of: values, prompts, cases, answers."""
