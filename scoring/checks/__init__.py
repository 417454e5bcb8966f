"""What to look for in an answer before any score is trusted. Needs neither a model nor a database."""
