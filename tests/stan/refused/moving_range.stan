data {
  int<lower=1> T;
  vector[T] y;
}
parameters {
  real mu;
}
model {
  for (t in 2:T)
    y[t] ~ normal(mu + mean(y[1:(t - 1)]), 1);
}
