program = """
dim item
data wait[item]: real
data price[item]: nonnegative
data clicks[item]: int
data angle[item]: real

r ~ Exponential(1)
wait[item] ~ Exponential(r)
price[item] ~ LogNormal(0, r)
clicks[item] ~ Poisson(r)
angle[item] ~ Uniform(0, 360)
"""
data = {"wait": [1, -2, 3], "price": [1, 0, 3], "clicks": [-1, 0, -2], "angle": [0, 180, 400]}
