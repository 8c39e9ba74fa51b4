program = """
dim school
data se[school]: real
data extra[school]: real
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, se - extra)
"""
data = {"se": [1, 2, 3], "extra": [0, 1, 4], "y": [28, 8, -3]}
