data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real<lower=0, upper=1> w;
  ordered[2] mu;
}
model {
  mu ~ normal(0, 5);
  for (n in 1:N)
    target += log_mix(w, normal_lpdf(y[n] | mu[1], 1), normal_lpdf(y[n] | mu[2], 1));
}
