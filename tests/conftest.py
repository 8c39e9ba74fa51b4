"""Makes the helpers beside it (`oracle`, `strategies`) importable from every folder of tests."""
