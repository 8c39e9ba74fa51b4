data {
  int<lower=1> N;
  int<lower=1> M;
  array[M] int<lower=1, upper=N> seen;
  vector[N] y;
}
parameters {
  real mu;
}
model {
  y[seen] ~ normal(mu, 1);
}
