program = """
dim item
data rank[item]: int(1, 5)
data temp[item]: real(lower = -273.15)

m ~ Normal(0, 1)
temp[item] ~ Normal(m + rank, 1)
"""
data = {"rank": [1, 6, 0], "temp": [20, -300, 15]}
