TEXT = "hello from a Python package"
