program = """
dim county
dim obs
data county_of[obs]: index(county)
data uranium[county]: real
data log_radon[obs]: real

b ~ Normal(0, 1)
a[county] ~ Normal(b * uranium, 1)
log_radon[obs] ~ Normal(a[county_of], 1)
"""
data = {"county_of": [1, 2, 3], "uranium": [0.1, "x", 0.3], "log_radon": [1, 2, None], "flor": [1, 1, 1]}
