import xarray as xr

program = """
dim school
data sigma[school]: positive
data y[school]: real

mu ~ Normal(0, 5)
theta[school] ~ Normal(mu, 1)
y[school] ~ Normal(theta, sigma)
"""
data = xr.Dataset({"sigma": ("schools", [15, 10]), "y": ("schools", [28, 8])})
