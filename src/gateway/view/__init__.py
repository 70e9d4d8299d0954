"""What people see of a page, ready to be written down: words, tones and times; templates only place them."""
