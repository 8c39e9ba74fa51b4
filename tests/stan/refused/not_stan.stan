mu ~ Normal(0, 1)
y[obs] ~ Normal(mu, 1)
