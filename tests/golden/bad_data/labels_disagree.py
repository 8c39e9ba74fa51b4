import pandas as pd

program = """
dim school
data sigma[school]: positive
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = {"sigma": pd.Series([15, 10, 16], ["A", "B", "C"]), "y": pd.Series([28, 8, -3], ["A", "B", "D"])}
