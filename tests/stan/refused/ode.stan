functions {
  vector growth(real t, vector z, real r) {
    return r * z;
  }
}
data {
  int<lower=1> T;
  array[T] real ts;
  vector[T] y;
}
parameters {
  real r;
  vector[1] z0;
}
model {
  array[T] vector[1] z = ode_rk45(growth, z0, 0.0, ts, r);
  for (t in 1:T)
    y[t] ~ normal(z[t, 1], 1);
}
