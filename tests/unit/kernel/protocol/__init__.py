"""The protocol of claim, lease and fence as a small model, searched over all interleavings."""
