data {
  int<lower=1> N;
  vector[N] x;
  vector[N] y;
}
transformed data {
  real delta = 1e-6;
}
parameters {
  real<lower=0> rho;
  real<lower=0> alpha;
  real<lower=0> sigma;
}
model {
  matrix[N, N] K;
  for (i in 1:N)
    for (j in 1:N)
      K[i, j] = square(alpha) * exp(-0.5 * square((x[i] - x[j]) / rho)) + (i == j ? square(sigma) + delta : 0);
  rho ~ inv_gamma(5, 5);
  alpha ~ std_normal();
  sigma ~ std_normal();
  y ~ multi_normal(rep_vector(0, N), K);
}
