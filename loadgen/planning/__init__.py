"""The plan of a run: arrival times and encoded requests, made before time zero. Nothing is sent here."""
