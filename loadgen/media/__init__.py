"""What the bytes of an image or a video say: kind, size, frames; not where they came from."""
