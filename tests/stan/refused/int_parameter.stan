data {
  int<lower=1> N;
  array[N] int y;
}
parameters {
  int<lower=0> k;
}
model {
  y ~ poisson(k);
}
