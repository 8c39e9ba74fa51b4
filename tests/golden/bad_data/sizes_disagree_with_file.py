program = """
dim state = 2
dim pair = state * 2
data start[state]: simplex
data e[pair]: real
data z[pair]: index(state)

m[state] ~ Normal(start, 1)
e[pair] ~ Normal(m[z], 1)
"""
data = {"start": [0.2, 0.3, 0.5], "e": [1, 2, 3, 4], "z": [0, 1, 0, 1]}
