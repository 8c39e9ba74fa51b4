data {
  int<lower=1> N;
  vector[N] x;
  vector[N] y;
}
transformed data {
  real total = 0;
  for (n in 1:N)
    total += x[n];
}
parameters {
  real b;
}
model {
  y ~ normal(b * total, 1);
}
