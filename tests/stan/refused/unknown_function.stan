data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real mu;
}
model {
  y ~ normal(bessel_first_kind(1, mu), 1);
}
