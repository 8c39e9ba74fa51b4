// Local level: the level walks, the first one is flat
data {
  int<lower=1> n;
  vector[n] y;
}
parameters {
  vector[n] mu;
  real<lower=0> sigma_level;
  real<lower=0> sigma_irreg;
}
model {
  mu[2:n] ~ normal(mu[1:(n - 1)], sigma_level);
  y ~ normal(mu, sigma_irreg);
  sigma_level ~ exponential(1);
  sigma_irreg ~ exponential(1);
}
