data {
  int<lower=0> N;
  int<lower=0> K;
  matrix[N, K] X;
  array[N] int<lower=0, upper=1> y;
}
transformed data {
  matrix[N, K] Xc;
  for (k in 1:K)
    Xc[, k] = (X[, k] - mean(X[, k])) / sd(X[, k]);
}
parameters {
  real alpha;
  vector[K] beta;
}
model {
  alpha ~ student_t(3, 0, 2.5);
  beta ~ normal(0, 1);
  y ~ bernoulli_logit(alpha + Xc * beta);
}
