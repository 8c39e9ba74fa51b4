data {
  int<lower=1> M; // sources
  int<lower=1> N;
  matrix[N, M] profile;
  vector[N] y;
  vector<lower=0>[M] prior_weight;
}
parameters {
  simplex[M] w;
  ordered[2] cut;
  simplex[3] flat;
  real<lower=0> sigma;
}
model {
  w ~ dirichlet(prior_weight);
  cut ~ normal(0, 1);
  sigma ~ gamma(2, 1);
  y ~ normal(profile * w + cut[1] + cut[2] * flat[3], sigma);
}
