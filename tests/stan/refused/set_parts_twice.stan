data {
  int<lower=1> N;
  vector[N] y;
  vector[N] x;
}
parameters {
  real a;
}
model {
  vector[N] mu;
  for (n in 1:N)
    mu[n] = a;
  mu[1] += x[1];
  y ~ normal(mu, 1);
}
