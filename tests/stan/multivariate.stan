data {
  int<lower=1> N;
  int<lower=1> D;
  array[N] vector[D] y;
}
parameters {
  vector[D] mu;
  cholesky_factor_corr[D] L;
  vector<lower=0>[D] tau;
}
transformed parameters {
  matrix[D, D] L_Sigma = diag_pre_multiply(tau, L);
}
model {
  mu ~ normal(0, 5);
  tau ~ exponential(1);
  L ~ lkj_corr_cholesky(4);
  y ~ multi_normal_cholesky(mu, L_Sigma);
}
