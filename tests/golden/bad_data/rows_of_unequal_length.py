program = """
dim series
dim time
data y[series, time]: real
m ~ Normal(0, 1)
y[series, time] ~ Normal(m, 1)
"""
data = {"y": [[0.1, 0.2, 0.3], [0.4]]}
