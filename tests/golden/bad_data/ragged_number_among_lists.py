program = """
dim obs
dim feature
data X[obs, feature]: real
data y[obs]: real

beta[feature] ~ Normal(0, 10)
y[obs] ~ Normal(X @ beta, 1)
"""
data = {"X": [[1, 2], 3, [5, 6]], "y": [1, 2, 3]}
