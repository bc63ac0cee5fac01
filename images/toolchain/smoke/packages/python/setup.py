from setuptools import setup

setup(name="smoke-greeting", version="1.0.0", py_modules=["smoke_greeting"])
