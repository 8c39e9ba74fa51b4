data {
  int<lower=1> N;
  int<lower=1> K;
  vector[N] y;
}
parameters {
  simplex[K] w;
  ordered[K] mu;
}
model {
  for (n in 1:N) {
    vector[K] lp = log(w);
    for (k in 1:K)
      lp[k] += normal_lpdf(y[n] | mu[k], 1);
    target += log_sum_exp(lp);
  }
}
