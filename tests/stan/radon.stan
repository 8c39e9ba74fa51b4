/*
 * Radon in Minnesota: intercepts by county with a predictor of the county.
 */
data {
  int<lower=1> N;
  int<lower=1> J;
  array[N] int<lower=1, upper=J> county;
  vector[N] x;
  vector[J] u;
  vector[N] y;
}
parameters {
  vector[J] a;
  real b;
  real g_0;
  real g_1;
  real<lower=0> sigma_y; // within counties
  real<lower=0> sigma_a; // between counties
}
model {
  vector[N] y_hat;
  vector[J] a_hat;
  for (j in 1:J)
    a_hat[j] = g_0 + g_1 * u[j];
  a ~ normal(a_hat, sigma_a);
  for (i in 1:N)
    y_hat[i] = a[county[i]] + b * x[i];
  y ~ normal(y_hat, sigma_y);
  b ~ normal(0, 1);
  g_0 ~ normal(0, 1);
  g_1 ~ normal(0, 1);
  sigma_y ~ normal(0, 1);
  sigma_a ~ normal(0, 1);
}
