data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real mu;
  real<lower=0> s;
}
model {
  y ~ nomal(mu, s);
  mu ~ skew_normal(0, 1, 2);
}
