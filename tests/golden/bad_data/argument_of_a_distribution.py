program = """
dim school
data sigma[school]: real
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = {"school": ["A", "B", "C"], "sigma": [15, -10, 0], "y": [28, 8, -3]}
