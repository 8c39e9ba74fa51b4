data {
  real y;
}
parameters {
  real mu;
}
model {
  print("mu = ", mu);
  y ~ normal(mu, 1);
}
