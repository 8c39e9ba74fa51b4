data {
  int<lower=0> J;
  vector[J] y;
  vector<lower=0>[J] se;
  int<lower=0> K;
  vector[K] dose;
}
parameters {
  vector[J] theta;
  real mu;
  real<lower=0> tau;
  vector[K - 1] step;
}
model {
  mu ~ normal(0, 1);
  mu ~ normal(0.2, 0.1); // a second opinion
  tau ~ normal(0, 1);
  theta ~ normal(mu, tau);
  log(tau) ~ normal(0, 3);
  y ~ normal(theta, se);
  step ~ std_normal();
  dose[2:K] ~ normal(mu, 1);
}
