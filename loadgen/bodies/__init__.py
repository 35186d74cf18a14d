"""What backends share to encode request bodies and parse answer bodies; the wire formats are in `backends`."""
