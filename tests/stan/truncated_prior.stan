data {
  int<lower=1> N;
  vector<lower=0>[N] y;
  real<lower=0> cap;
}
parameters {
  real<lower=0> mu;
  real<lower=0> sigma;
  real m;
}
model {
  m ~ normal(0, 1);
  mu ~ normal(m, 1); // cut at 0, where m matters
  sigma ~ student_t(3, 0, 2.5);
  for (n in 1:N)
    y[n] ~ normal(mu, sigma) T[0, cap];
}
