"""A page in each of the forms that it is read in; pure functions of what is shown, the address and the time."""
