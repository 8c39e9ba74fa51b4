data {
  int<lower=1> N;
  int<lower=1> M;
  vector[N] y;
  vector[M] x;
}
parameters {
  real b;
}
model {
  y ~ normal(b * x, 1);
}
