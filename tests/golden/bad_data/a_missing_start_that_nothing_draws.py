program = """
dim time
data y[time]: real?
a ~ Normal(0, 1)
for t in time[1:] {
  y[t] ~ Normal(a * y[t-1], 1)
}
"""
data = {"y": [None, 0.3, 0.5]}
