import pandas as pd

program = """
data n: count
dim block = n - 1
data y[block]: real

m ~ Normal(0, 1)
y[block] ~ Normal(m, 1)
"""
data = pd.DataFrame({"n": [3, 3], "y": [1, 2]})
