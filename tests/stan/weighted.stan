data {
  int<lower=0> N;
  vector[N] y;
  vector<lower=0>[N] w;
}
parameters {
  real mu;
  real<lower=0> sigma;
}
model {
  mu ~ normal(0, 10);
  sigma ~ exponential(1);
  for (i in 1:N)
    target += w[i] * normal_lpdf(y[i] | mu, sigma);
}
