"""End-to-end flows over real HTTP against a local stack."""
