data {
  int<lower=0> N;
  vector[N] weight;
  vector[N] height;
}
parameters {
  real alpha;
  real beta;
  real<lower=0> sigma;
}
model {
  height ~ normal(alpha + beta * weight, sigma);
}
