"""`oncall partner`: who outside may read which page, from where, and who did."""
