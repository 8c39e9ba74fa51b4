"""Measurements against references and peers: ``python -m benchmarks`` lists them, with a name it runs one."""
