data {
  int<lower=1> N;
  vector[N] y;
  int<lower=0, upper=1> prior_only;
}
parameters {
  real mu;
}
model {
  mu ~ normal(0, 1);
  if (prior_only == 0)
    y ~ normal(mu, 1);
}
