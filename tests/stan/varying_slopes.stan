data {
  int<lower=1> N;
  int<lower=1> J;
  int<lower=1> K; // predictors of individuals
  int<lower=1> L; // predictors of groups
  array[N] int<lower=1, upper=J> jj;
  matrix[N, K] x;
  matrix[J, L] u;
  vector[N] y;
}
parameters {
  matrix[K, J] z;
  cholesky_factor_corr[K] L_Omega;
  vector<lower=0>[K] tau;
  matrix[L, K] gamma;
  real<lower=0> sigma;
}
transformed parameters {
  matrix[J, K] beta = u * gamma + (diag_pre_multiply(tau, L_Omega) * z)';
}
model {
  to_vector(z) ~ std_normal();
  L_Omega ~ lkj_corr_cholesky(2);
  tau ~ cauchy(0, 2.5);
  to_vector(gamma) ~ normal(0, 5);
  sigma ~ exponential(1);
  for (n in 1:N)
    y[n] ~ normal(x[n] * beta[jj[n]]', sigma);
}
generated quantities {
  matrix[K, K] Omega = multiply_lower_tri_self_transpose(L_Omega);
}
