"""The other side of each platform: small HTTP programs that can be scripted, refuse, delay, drop and duplicate."""
