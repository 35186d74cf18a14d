"""Image and video formats: media type, size, checks of the bytes. It knows no server and no request."""
