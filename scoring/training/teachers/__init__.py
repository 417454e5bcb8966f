"""Teachers: models too large or too many to ship, whose opinions a student learns from."""
