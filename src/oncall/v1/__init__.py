"""Generated from proto/oncall/v1; `make proto` writes it anew."""
