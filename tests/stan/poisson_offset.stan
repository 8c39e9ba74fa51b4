data {
  int<lower=0> N;
  array[N] int<lower=0> deaths;
  vector<lower=0>[N] exposure;
  vector[N] age;
}
transformed data {
  vector[N] log_exposure = log(exposure);
  vector[N] age_std = (age - mean(age)) / sd(age);
}
parameters {
  real alpha;
  real beta;
  real<lower=0> phi;
}
model {
  vector[N] eta = alpha + beta * age_std;
  eta += log_exposure;
  alpha ~ normal(0, 5);
  beta ~ normal(0, 1);
  phi ~ exponential(0.1);
  deaths ~ neg_binomial_2_log(eta, phi);
}
generated quantities {
  real rate_ratio = exp(beta);
  array[N] int deaths_rep = neg_binomial_2_log_rng(alpha + beta * age_std + log_exposure, phi);
}
