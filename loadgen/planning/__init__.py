"""Everything decided before time zero: arrival times, the plan, the encoded requests. Nothing is sent here."""
