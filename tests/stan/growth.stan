data {
  int<lower=1> N;
  int<lower=1> T;
  matrix[N, T] y;
  row_vector[T] age;
}
parameters {
  vector[N] a;
  vector<lower=0>[N] k;
  vector[2] mu;
  vector<lower=0>[2] tau;
  real<lower=0> sigma;
}
model {
  a ~ normal(mu[1], tau[1]);
  k ~ lognormal(mu[2], tau[2]);
  mu ~ normal(0, 1);
  tau ~ normal(0, 1);
  sigma ~ normal(0, 1);
  for (i in 1:N) {
    row_vector[T] m;
    m = a[i] * (1 - exp(-k[i] * age));
    y[i] ~ normal(m, sigma);
  }
}
