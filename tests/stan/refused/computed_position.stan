data {
  int<lower=1> N;
  int<lower=1> J;
  array[N] int<lower=1, upper=J> g;
  vector[N] y;
}
parameters {
  vector[J] a;
}
model {
  a ~ normal(0, 1);
  for (n in 1:N)
    y[n] ~ normal(a[g[n] * 1], 1);
}
