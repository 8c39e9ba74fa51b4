data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real<lower=0> k;
}
model {
  y / 2 ~ gumbel(0, k);
}
