import numpy as np

program = """
dim obs
dim feature
data X[obs, feature]: real
data y[obs]: real

beta[feature] ~ Normal(0, 10)
y[obs] ~ Normal(X @ beta, 1)
"""
data = {"X": np.ones((3, 2)), "y": np.ones((3, 1))}
