import numpy as np

program = """
dim school
data sigma[school]: positive
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = {"sigma": [1, 2], "y": np.array(["2024-01-01", "2024-01-02"], "M8[D]")}
