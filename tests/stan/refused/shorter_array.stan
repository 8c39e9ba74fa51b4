data {
  int<lower=2> T;
  vector[T] y;
}
parameters {
  vector[T - 1] step;
  real<lower=0> s;
}
model {
  step ~ std_normal();
  for (t in 1:(T - 1))
    y[t + 1] ~ normal(y[t] + step[t], s);
}
