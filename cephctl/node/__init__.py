"""The program that runs on a web node: the standard library of Python 3.8, and nothing of ours
beyond this package.
"""
