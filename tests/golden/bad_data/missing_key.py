program = """
dim school
data sigma[school]: positive
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = {"y": [28, 8, -3]}
