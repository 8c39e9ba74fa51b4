data {
  int<lower=0> N;
  int<lower=0> E;
  array[E] int<lower=1, upper=N> node1;
  array[E] int<lower=1, upper=N> node2;
  array[N] int<lower=0> y;
  vector<lower=0>[N] expected;
}
transformed data {
  vector[N] log_expected = log(expected);
}
parameters {
  real beta0;
  vector[N] phi;
  real<lower=0> sigma;
}
model {
  // pairwise differences
  target += -0.5 * dot_self(phi[node1] - phi[node2]);
  sum(phi) ~ normal(0, 0.001 * N);
  beta0 ~ normal(0, 5);
  sigma ~ std_normal();
  y ~ poisson_log(log_expected + beta0 + sigma * phi);
}
