# the arrays of older Stan
data {
  int<lower=0> N;
  real y[N];
  int<lower=0, upper=1> treated[N];
}
parameters {
  real mu[2];
  real<lower=0> sigma;
}
model {
  for (n in 1:N)
    y[n] ~ normal(treated[n] == 1 ? mu[2] : mu[1], sigma);
  mu ~ normal(0, 10);
  sigma ~ inv_gamma(2, 2);
}
