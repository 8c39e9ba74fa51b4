functions {
  real total(vector x) {
    real s = 0;
    for (i in 1:num_elements(x))
      s += x[i];
    return s;
  }
}
data {
  int<lower=1> N;
  vector[N] y;
}
parameters {
  real mu;
}
model {
  y ~ normal(mu, total(y));
}
