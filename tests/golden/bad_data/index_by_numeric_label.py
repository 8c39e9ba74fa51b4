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
data = {"county": [10, 20, 30], "county_of": [10, 30, 10], "uranium": [0.1, 0.2, 0.3], "log_radon": [1, 2, 3]}
