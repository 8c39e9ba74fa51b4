data {
  int<lower=3> T;
  vector[T] y;
}
parameters {
  real alpha;
  real<lower=-1, upper=1> beta;
  real gamma;
  real<lower=0> sigma;
}
model {
  alpha ~ normal(0, 10);
  gamma ~ normal(0, 0.5);
  sigma ~ exponential(1);
  for (t in 3:T)
    y[t] ~ normal(alpha + beta * y[t - 1] + gamma * y[t - 2], sigma);
}
