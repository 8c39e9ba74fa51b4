data {
  int<lower=1> K; // players
  int<lower=1> N; // games
  array[N] int<lower=1, upper=K> player1;
  array[N] int<lower=1, upper=K> player0;
  array[N] int<lower=0, upper=1> y; // 1 if player 1 won
}
parameters {
  vector[K] alpha;
  real<lower=0> sigma;
}
model {
  target += exponential_lpdf(sigma | 1);
  target += normal_lpdf(alpha | 0, sigma);
  target += bernoulli_logit_lpmf(y | alpha[player1] - alpha[player0]);
}
generated quantities {
  real spread = max(alpha) - min(alpha);
}
