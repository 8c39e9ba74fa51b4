data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real mu;
}
model {
  int i = 1;
  while (i <= N) {
    y[i] ~ normal(mu, 1);
    i += 1;
  }
}
