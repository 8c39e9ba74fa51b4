program = """
dim time
data y[time]: real?

x[0] ~ Normal(0, 1)
for t in time[1:] {
  x[t] ~ Normal(x[t-1], 1)
}
y[time] ~ Normal(x, 1)
"""
data = {}
