program = """
dim county
dim obs
data county_of[obs]: index(county)
data log_radon[obs]: real

b ~ Normal(0, 1)
a[county] ~ Normal(b, 1)
log_radon[obs] ~ Normal(a[county_of], 1)
"""
data = {"county_of": [1950, 1951, 1950], "log_radon": [0.1, 0.2, 0.3]}
