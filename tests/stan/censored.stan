data {
  int<lower=0> N_seen;
  int<lower=0> N_cut;
  vector<lower=0>[N_seen] t;
  vector<lower=0>[N_cut] t_cut;
}
parameters {
  real<lower=0> rate;
}
model {
  rate ~ gamma(2, 2);
  t ~ exponential(rate);
  target += exponential_lccdf(t_cut | rate);
}
