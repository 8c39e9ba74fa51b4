program = """
dim school
data sigma[school]: positive
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = {"school": [], "sigma": [15, 10, 16], "y": [28, 8, -3]}
