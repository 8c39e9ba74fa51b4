data {
  real y;
}
parameters {
  unit_vector[3] u;
}
model {
  y ~ normal(u[1], 1);
}
