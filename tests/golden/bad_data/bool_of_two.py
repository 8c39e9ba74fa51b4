program = """
dim trial
data n[trial]: count
data hits[trial]: count
data rain[trial]: bool
data share[trial]: unit

p ~ Beta(1, 1)
hits[trial] ~ Binomial(n, p)
rain[trial] ~ Bernoulli(p)
share[trial] ~ Beta(2, p)
"""
data = {"n": [3, 4], "hits": [1, -2], "rain": [1, 2], "share": [0.1, 0.2]}
