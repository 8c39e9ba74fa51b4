program = """
dim time
data times[time]: real
data y[time]: positive
def decay(t: real, y: real, rate: real): real { return -rate * y }

rate ~ LogNormal(0, 1)
level[time] = ode(decay, 10, 1, times, rate)
y[time] ~ LogNormal(log(level), 0.1)
"""
data = {"times": [0, 1, 2], "y": [8, 6, 5]}
